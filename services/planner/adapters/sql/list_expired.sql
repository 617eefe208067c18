-- Up to $4 occurrences of day $1 that expired, by person and kind after ($2, $3).
-- Reads plan_expired_idx of the day's partition.
SELECT
    local_day, person_id, kind, due_at, expires_at, state, reason, release, zone, period, years,
    settled_at
FROM plan
WHERE local_day = $1 AND state = 'expired' AND (person_id, kind) > ($2::uuid, $3::text)
ORDER BY person_id, kind
LIMIT $4
