-- The account of the days $1 to $2: how many occurrences per day, kind, state and reason.
-- Reads those days' partitions whole.
SELECT local_day, kind, state, reason, count(*) AS count
FROM plan
WHERE local_day BETWEEN $1 AND $2
GROUP BY local_day, kind, state, reason
ORDER BY local_day, kind, state, reason
