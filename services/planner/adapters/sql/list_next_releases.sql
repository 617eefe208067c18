-- When the next row of each open day from $1 to $2 is due, earliest first; days without
-- are left out. Reads the head of each day's plan_release_idx.
-- Needs read_by_index.
SELECT days.local_day, next.release_at
FROM days
CROSS JOIN LATERAL (
    SELECT plan.release_at
    FROM plan
    WHERE plan.local_day = days.local_day AND plan.local_day BETWEEN $1 AND $2
      AND plan.state IN ('waiting', 'deferred')
    ORDER BY plan.release_at
    LIMIT 1
) AS next
WHERE days.closed_at IS NULL AND days.local_day BETWEEN $1 AND $2
ORDER BY next.release_at
