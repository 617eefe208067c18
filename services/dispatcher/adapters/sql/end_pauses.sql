-- End pauses: $1 ids, $2 instants, arrays of one length; also those of which nobody has told yet.
INSERT INTO pauses (pause_id, resumed_at)
SELECT told.pause_id, told.resumed_at
FROM unnest($1::uuid[], $2::timestamptz[]) AS told (pause_id, resumed_at)
ORDER BY told.pause_id
ON CONFLICT (pause_id) DO UPDATE
SET resumed_at = excluded.resumed_at
WHERE pauses.resumed_at IS NULL
