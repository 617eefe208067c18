-- Return up to $2 events after position $1, in the order of positions, with their sealed data where
-- their type is among $3 (empty: any), and the wrapped data keys of those who have not been erased.
-- Reads events_position_idx and a primary key; the caller judges which positions are closed.
SELECT
    events.position,
    events.stream_id,
    events.version,
    events.type,
    events.recorded_at,
    events.is_wanted,
    CASE WHEN events.is_wanted THEN events.data END AS data,
    CASE WHEN events.is_wanted THEN events.metadata::text END AS metadata,
    CASE WHEN events.is_wanted THEN (
        SELECT person_keys.wrapped_key
        FROM person_keys
        WHERE person_keys.person_id = events.stream_id
    ) END AS wrapped_key
FROM (
    SELECT
        logged.position,
        logged.stream_id,
        logged.version,
        logged.type,
        logged.recorded_at,
        logged.data,
        logged.metadata,
        cardinality($3::text[]) = 0 OR logged.type = ANY ($3::text[]) AS is_wanted
    FROM events AS logged
    WHERE logged.position > $1::bigint
    ORDER BY logged.position
    LIMIT $2::integer
) AS events
ORDER BY events.position
