-- Return up to $2 rows after position $1, oldest first, with the bodies of those that are sent to
-- exchange $3, whose routing key is among $4 (empty: any), as long as fewer than $5 items precede
-- them. Walks the primary key; the caller judges which positions are closed.
SELECT
    row.position,
    row.routing_key,
    row.is_wanted,
    row.items_before >= $5::bigint AS is_beyond,
    CASE WHEN row.is_wanted AND row.items_before < $5::bigint THEN row.body END AS body
FROM (
    SELECT
        numbered.position,
        numbered.routing_key,
        numbered.body,
        numbered.is_wanted,
        coalesce(sum(numbered.items) FILTER (WHERE numbered.is_wanted) OVER (
            ORDER BY numbered.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS items_before
    FROM (
        SELECT
            outbox.position,
            outbox.routing_key,
            outbox.items,
            outbox.body,
            outbox.exchange = $3::text
                AND (cardinality($4::text[]) = 0 OR outbox.routing_key = ANY ($4::text[]))
                AS is_wanted
        FROM outbox
        WHERE outbox.position > $1::bigint
        ORDER BY outbox.position
        LIMIT $2::integer
    ) AS numbered
) AS row
ORDER BY row.position
