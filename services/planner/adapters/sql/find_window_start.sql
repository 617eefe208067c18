-- The first day of which anything can still be released: the oldest open one, NULL if none is.
SELECT min(local_day) FROM days WHERE closed_at IS NULL
