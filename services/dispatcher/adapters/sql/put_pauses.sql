-- Keep pauses: $1 ids, $2 persons, $3 kinds, $4 instants, arrays of one length. One that is known,
-- be it as ended, stays as it is.
INSERT INTO pauses (pause_id, person_id, kind, paused_at)
SELECT told.pause_id, told.person_id, told.kind, told.paused_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
    AS told (pause_id, person_id, kind, paused_at)
ORDER BY told.pause_id
ON CONFLICT (pause_id) DO NOTHING
