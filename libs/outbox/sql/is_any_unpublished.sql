-- Tell whether any visible row waits whose position is not in the published set.
-- Walks the set's gaps as read_unpublished does, up to the first such row.
SELECT EXISTS (
    SELECT
    FROM outbox_cursor AS cursor
    CROSS JOIN LATERAL unnest('{[1,)}'::int8multirange - cursor.done) AS gap
    CROSS JOIN LATERAL (
        SELECT outbox.position
        FROM outbox
        WHERE outbox.position >= lower(gap)
          AND outbox.position < coalesce(upper(gap), 9223372036854775807)
        ORDER BY outbox.position
        LIMIT 1
    ) AS row
    WHERE cursor.id = 1
) AS is_any
