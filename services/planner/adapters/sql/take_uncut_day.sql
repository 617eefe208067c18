-- Take an open day that is not cut into slices yet; days before $1 come last.
-- Another planner's is skipped.
SELECT local_day
FROM days
WHERE cut_at IS NULL AND closed_at IS NULL
ORDER BY local_day < $1, local_day
LIMIT 1
FOR UPDATE SKIP LOCKED
