-- Of day $1, per instant in order: owed, accepted and pending occurrences, and zones.
-- Reads the day's partition whole.
SELECT
    due_at,
    count(*) AS owed,
    count(*) FILTER (WHERE state = 'accepted') AS accepted,
    count(*) FILTER (WHERE state IN ('waiting', 'released', 'deferred')) AS pending,
    count(*) FILTER (
        WHERE state IN ('refused', 'unknown', 'suppressed', 'expired', 'cancelled')
    ) AS ended,
    array_agg(DISTINCT zone ORDER BY zone) AS zones
FROM plan
WHERE local_day = $1
GROUP BY due_at
ORDER BY due_at
