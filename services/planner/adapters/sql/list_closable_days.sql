-- Planned, open days up to $1, oldest first: those whose late limits have passed. At most $2.
SELECT local_day FROM days
WHERE closed_at IS NULL AND planned_at IS NOT NULL AND local_day <= $1
ORDER BY local_day
LIMIT $2
