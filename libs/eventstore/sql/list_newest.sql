-- Of events, $1 streams and $2 versions, return the places of those that no version noted exceeds,
-- and whether what is held of that stream claims to be from a version that never was.
-- Reads rebuild_streams_pkey.
SELECT told.place, coalesce(known.held > known.version, FALSE) AS is_overruled
FROM unnest($1::uuid[], $2::integer[]) WITH ORDINALITY AS told (stream_id, version, place)
LEFT JOIN rebuild_streams AS known ON known.stream_id = told.stream_id
WHERE known.version IS NULL OR told.version >= known.version
ORDER BY told.place
