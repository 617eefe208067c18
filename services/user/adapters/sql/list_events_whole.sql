-- Return up to $3 events of person $1 after version $2, oldest first, with the wrapped data key.
-- Reads two primary keys.
SELECT
    events.version, events.type, events.metadata::text AS metadata, events.recorded_at, events.data,
    person_keys.wrapped_key
FROM events
LEFT JOIN person_keys ON person_keys.person_id = events.stream_id
WHERE events.stream_id = $1 AND events.version > $2
ORDER BY events.version
LIMIT $3
