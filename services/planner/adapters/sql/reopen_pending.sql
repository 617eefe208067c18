-- Open again those of the days $1 that are closed though something of them is pending.
-- Needs lock_days_shared. Reads plan_release_idx of one partition per day.
UPDATE days SET closed_at = NULL
WHERE local_day = ANY ($1::date[]) AND closed_at IS NOT NULL
  AND EXISTS (
      SELECT FROM plan
      WHERE plan.local_day = days.local_day AND plan.local_day = ANY ($1)
        AND plan.state IN ('waiting', 'deferred')
  )
