-- Return up to $3 events of person $1 after version $2, oldest first, without their data; only those
-- recorded up to $4 where it is not NULL.
-- Reads the primary key.
SELECT events.version, events.type, events.metadata::text AS metadata, events.recorded_at
FROM events
WHERE events.stream_id = $1
  AND events.version > $2
  AND ($4::timestamptz IS NULL OR events.recorded_at <= $4::timestamptz)
ORDER BY events.version
LIMIT $3
