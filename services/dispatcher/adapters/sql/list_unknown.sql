-- List up to $4 unknown outcomes that are not settled, by day, person and kind after ($1, $2, $3),
-- however old: somebody has to decide about each.
-- Reads delivery_events_unknown_idx and delivery_events_pkey.
SELECT
    outcome.local_day, outcome.person_id, outcome.kind, outcome.release, outcome.reason,
    outcome.recorded_at, claim.due_at, claim.provider
FROM delivery_events AS outcome
JOIN delivery_events AS claim
    ON claim.local_day = outcome.local_day
    AND claim.person_id = outcome.person_id
    AND claim.kind = outcome.kind
    AND claim.release = outcome.release
    AND claim.step = 0
WHERE outcome.step = 1
  AND outcome.type = 'unknown'
  AND outcome.local_day >= $1
  AND outcome.local_day >= $1::date
  AND (outcome.local_day, outcome.person_id, outcome.kind) > ($1::date, $2::uuid, $3::text)
  AND NOT EXISTS (
      SELECT FROM delivery_events AS settlement
      WHERE settlement.local_day = outcome.local_day
        AND settlement.person_id = outcome.person_id
        AND settlement.kind = outcome.kind
        AND settlement.release = outcome.release
        AND settlement.step = 2
  )
ORDER BY outcome.local_day, outcome.person_id, outcome.kind, outcome.release
LIMIT $4
