-- Note at $2 that day $1 has all its slices. The caller holds the day's row.
UPDATE days SET cut_at = $2 WHERE local_day = $1
