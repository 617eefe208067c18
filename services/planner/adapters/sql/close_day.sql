-- Close day $2 at $1 if it is planned and has nothing pending; forget its slices. Returns how often
-- it was closed by now. Needs lock_days. Reads the two partial indexes of the day's partition.
WITH closed AS (
    UPDATE days SET closed_at = $1, closings = closings + 1
    WHERE local_day = $2 AND closed_at IS NULL AND planned_at IS NOT NULL
      AND NOT EXISTS (
          SELECT FROM plan WHERE plan.local_day = $2 AND plan.state IN ('waiting', 'deferred')
      )
      AND NOT EXISTS (
          SELECT FROM plan WHERE plan.local_day = $2 AND plan.state = 'released'
      )
    RETURNING local_day, closings
), forgotten AS (
    DELETE FROM slices USING closed WHERE slices.local_day = closed.local_day
)
SELECT closings FROM closed
