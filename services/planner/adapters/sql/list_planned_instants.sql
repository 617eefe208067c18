-- At which instants what is pending of day $1 is planned, per kind and zone, and how many rows are.
-- Reads the day's partition whole.
SELECT kind, zone, due_at, count(*) AS rows
FROM plan
WHERE local_day = $1 AND state IN ('waiting', 'deferred', 'released')
GROUP BY kind, zone, due_at
ORDER BY kind, zone, due_at
