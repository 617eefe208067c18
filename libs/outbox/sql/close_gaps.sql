-- Count all positions below $1 as published, unless a row among them waits to be.
-- The caller holds the cursor and knows that no transaction can still show a row below $1.
UPDATE outbox_cursor
SET done = done + int8multirange(int8range(1, $1))
WHERE id = 1
  AND NOT EXISTS (
    SELECT 1
    FROM unnest(int8multirange(int8range(1, $1)) - outbox_cursor.done) AS gap
    JOIN outbox ON outbox.position >= lower(gap) AND outbox.position < upper(gap)
  )
RETURNING id
