-- Note at $1 which cut days have no slice left to plan. Harmless beside copies of itself.
UPDATE days SET planned_at = $1
WHERE planned_at IS NULL AND cut_at IS NOT NULL AND closed_at IS NULL
  AND NOT EXISTS (
      SELECT FROM slices WHERE slices.local_day = days.local_day AND slices.done_at IS NULL
  )
RETURNING local_day
