-- Read up to $1 visible rows whose positions are not in the published set, oldest first.
-- Walks the set's gaps, one range of the primary key each: a filter "not in the set" would read the
-- whole table. A row of a transaction still in flight is invisible now and in a gap later.
SELECT row.position, row.exchange, row.routing_key, row.items, row.body
FROM outbox_cursor AS cursor
CROSS JOIN LATERAL unnest('{[1,)}'::int8multirange - cursor.done) AS gap
CROSS JOIN LATERAL (
    SELECT outbox.position, outbox.exchange, outbox.routing_key, outbox.items, outbox.body
    FROM outbox
    WHERE outbox.position >= lower(gap)
      AND outbox.position < coalesce(upper(gap), 9223372036854775807)
    ORDER BY outbox.position
    LIMIT $1
) AS row
WHERE cursor.id = 1
LIMIT $1
