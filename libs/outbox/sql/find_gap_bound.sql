-- Return the position after the last one drawn if positions before it are missing from the published
-- set, else NULL.
SELECT drawn.last_value + 1 AS bound
FROM outbox_cursor AS cursor
CROSS JOIN outbox_position AS drawn
WHERE cursor.id = 1
  AND drawn.is_called
  AND cursor.done <> int8multirange(int8range(1, drawn.last_value + 1))
