-- The zones of everyone who is there or has something pending. Reads recipients whole, and of each
-- open day the rows that are pending.
SELECT DISTINCT zone FROM recipients WHERE is_active
UNION
SELECT DISTINCT plan.zone
FROM days
JOIN plan ON plan.local_day = days.local_day
WHERE days.closed_at IS NULL AND plan.state IN ('waiting', 'deferred', 'released')
