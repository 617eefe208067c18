-- Return the last event of person $1 recorded up to $2, with its version and the wrapped data key; an
-- erased person's last one, whenever it was, since their earlier ones cannot be read any more.
-- Reads two primary keys, the log's backwards.
SELECT events.version, events.type, events.data, person_keys.wrapped_key
FROM events
LEFT JOIN person_keys ON person_keys.person_id = events.stream_id
WHERE events.stream_id = $1
  AND (events.recorded_at <= $2::timestamptz OR person_keys.wrapped_key IS NULL)
ORDER BY events.version DESC
LIMIT 1
