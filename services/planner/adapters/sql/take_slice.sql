-- Take a slice that is not planned yet; days before $1 come last, then the earliest first.
-- Another planner's is skipped. Reads slices_undone_idx.
SELECT local_day, bucket, slice, after, upto
FROM slices
WHERE done_at IS NULL
ORDER BY local_day < $1, local_day, bucket, slice
LIMIT 1
FOR UPDATE SKIP LOCKED
