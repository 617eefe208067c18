-- Return the event of person $1 at version $2 and the wrapped data key. Reads two primary keys.
SELECT events.type, events.data, person_keys.wrapped_key
FROM events
LEFT JOIN person_keys ON person_keys.person_id = events.stream_id
WHERE events.stream_id = $1 AND events.version = $2
