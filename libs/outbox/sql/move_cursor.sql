-- Add the positions $1 to the published set. The caller holds the cursor.
UPDATE outbox_cursor
SET done = done + (
    SELECT range_agg(int8range(published.position, published.position + 1))
    FROM unnest($1::bigint[]) AS published (position)
)
WHERE id = 1
