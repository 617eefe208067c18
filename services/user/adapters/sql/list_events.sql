-- Return up to $3 events of person $1 after version $2, oldest first, without their data.
-- Reads the primary key.
SELECT events.version, events.type, events.metadata::text AS metadata, events.recorded_at
FROM events
WHERE events.stream_id = $1 AND events.version > $2
ORDER BY events.version
LIMIT $3
