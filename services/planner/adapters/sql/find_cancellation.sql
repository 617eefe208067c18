-- The cancellation of exactly this scope: $1 person, $2 kind, NULL for all, days $3 to $4.
SELECT
    cancellation_id, person_id, kind, first_day, last_day, reason, cancelled_at, cancelled_by
FROM cancellations
WHERE person_id IS NOT DISTINCT FROM $1::uuid
  AND kind IS NOT DISTINCT FROM $2::text
  AND first_day = $3 AND last_day = $4
