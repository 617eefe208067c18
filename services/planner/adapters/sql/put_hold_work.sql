-- Note that the rows of the open days from $2 to $3 (NULL: all) have to follow the hold $1. Days
-- that are opened later are planned by whoever sees it.
INSERT INTO hold_work (hold_id, local_day)
SELECT $1, local_day
FROM days
WHERE closed_at IS NULL
  AND ($2::date IS NULL OR local_day >= $2)
  AND ($3::date IS NULL OR local_day <= $3)
