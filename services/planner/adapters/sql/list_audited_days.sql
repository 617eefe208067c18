-- The days whose plan must be complete: wholly planned, open, and never closed before. While a day
-- was closed, nobody kept it current.
SELECT local_day FROM days
WHERE closed_at IS NULL AND planned_at IS NOT NULL AND closings = 0
ORDER BY local_day
