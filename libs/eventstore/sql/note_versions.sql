-- Note the highest version of each stream: $1 streams, $2 versions; no stream twice.
INSERT INTO rebuild_streams AS known (stream_id, version)
SELECT told.stream_id, told.version
FROM unnest($1::uuid[], $2::integer[]) AS told (stream_id, version)
ORDER BY told.stream_id
ON CONFLICT (stream_id) DO UPDATE
SET version = greatest(known.version, excluded.version)
