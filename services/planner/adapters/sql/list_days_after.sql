-- The days that are open, and those after $1 whether open or not, in order, and whether they are closed.
-- Reads days_open_idx and the primary key.
SELECT local_day, closed_at IS NOT NULL AS is_closed
FROM days
WHERE closed_at IS NULL OR local_day > $1
ORDER BY local_day
