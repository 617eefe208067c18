-- Return the first position after the highest published one if positions below it are missing from
-- the set, else NULL.
SELECT upper(cursor.done) AS bound
FROM outbox_cursor AS cursor
WHERE cursor.id = 1
  AND NOT isempty(cursor.done)
  AND cursor.done <> int8multirange(int8range(1, upper(cursor.done)))
