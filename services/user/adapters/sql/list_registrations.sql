-- Return the first event of each of the people $1 that is not erased, with the wrapped data key.
-- Reads two primary keys.
SELECT events.stream_id, events.type, events.data, person_keys.wrapped_key
FROM events
JOIN person_keys ON person_keys.person_id = events.stream_id
WHERE events.stream_id = ANY($1::uuid[]) AND events.version = 1
