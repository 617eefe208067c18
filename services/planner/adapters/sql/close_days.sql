-- Close at $1 those of the days $2 that are planned and have nothing pending; forget their slices.
-- Needs lock_days. Reads the two partial indexes of one partition per day.
WITH closed AS (
    UPDATE days SET closed_at = $1
    WHERE local_day = ANY ($2::date[]) AND closed_at IS NULL AND planned_at IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM plan
          WHERE plan.local_day = days.local_day AND plan.local_day = ANY ($2)
            AND plan.state IN ('waiting', 'deferred')
      )
      AND NOT EXISTS (
          SELECT FROM plan
          WHERE plan.local_day = days.local_day AND plan.local_day = ANY ($2)
            AND plan.state = 'released'
      )
    RETURNING local_day
), forgotten AS (
    DELETE FROM slices USING closed WHERE slices.local_day = closed.local_day
)
SELECT local_day FROM closed
