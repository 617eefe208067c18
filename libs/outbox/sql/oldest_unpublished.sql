-- Return the age in seconds of the oldest visible row that is not published, NULL if there is none.
SELECT extract(epoch FROM clock_timestamp() - row.recorded_at)::double precision AS age_s
FROM outbox_cursor AS cursor
CROSS JOIN LATERAL unnest('{[1,)}'::int8multirange - cursor.done) AS gap
CROSS JOIN LATERAL (
    SELECT outbox.recorded_at
    FROM outbox
    WHERE outbox.position >= lower(gap)
      AND outbox.position < coalesce(upper(gap), 9223372036854775807)
    ORDER BY outbox.position
    LIMIT 1
) AS row
WHERE cursor.id = 1
LIMIT 1
