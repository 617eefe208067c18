-- Return the highest position drawn and the lowest one that is not published.
SELECT
    (SELECT last_value FROM outbox_position) AS drawn,
    (SELECT min(lower(gap)) FROM unnest('{[1,)}'::int8multirange - cursor.done) AS gap)
        AS unpublished
FROM outbox_cursor AS cursor
WHERE cursor.id = 1
