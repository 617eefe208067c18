-- List up to $5 unknown outcomes that can be settled by now, the longest known first.
-- $1 the oldest local day to look at, $2 the provider that can be asked (NULL: none can), $3 the
-- kinds that are sent again when nobody can tell, $4 real seconds after the lease from which "never
-- saw it" counts, $6 the provider that takes no second mail under one key (NULL: none does), $7 the
-- real seconds after the lease until which its keys surely live: the first lease that ended unknown,
-- since all attempts share a key. An unknown of another provider, or one that nobody may repeat,
-- waits for an operator.
-- Reads delivery_events_unknown_idx and delivery_events_pkey.
SELECT
    outcome.local_day, outcome.person_id, outcome.kind, outcome.release,
    claim.period, claim.due_at, claim.provider,
    coalesce(claim.provider = $2, FALSE) AS can_be_asked,
    repeating.is_safe AS can_be_repeated,
    (
        SELECT count(*)::integer
        FROM delivery_events AS attempt
        WHERE attempt.local_day = outcome.local_day
          AND attempt.person_id = outcome.person_id
          AND attempt.kind = outcome.kind
          AND attempt.step = 0
    ) AS attempts
FROM delivery_events AS outcome
JOIN delivery_events AS claim
    ON claim.local_day = outcome.local_day
    AND claim.person_id = outcome.person_id
    AND claim.kind = outcome.kind
    AND claim.release = outcome.release
    AND claim.step = 0
CROSS JOIN LATERAL (
    SELECT coalesce(
        claim.provider = $6
            AND clock_timestamp() < (
                SELECT min(earlier.lease_until)
                FROM delivery_events AS doubt
                JOIN delivery_events AS earlier
                    ON earlier.local_day = doubt.local_day
                    AND earlier.person_id = doubt.person_id
                    AND earlier.kind = doubt.kind
                    AND earlier.release = doubt.release
                    AND earlier.step = 0
                WHERE doubt.local_day = outcome.local_day
                  AND doubt.person_id = outcome.person_id
                  AND doubt.kind = outcome.kind
                  AND doubt.step = 1
                  AND doubt.type = 'unknown'
            ) + make_interval(secs => $7),
        FALSE
    ) AS is_safe
) AS repeating
WHERE outcome.step = 1
  AND outcome.type = 'unknown'
  AND outcome.local_day >= $1
  AND claim.lease_until + make_interval(secs => $4) < clock_timestamp()
  AND (claim.provider = $2 OR outcome.kind = ANY ($3::text[]) OR repeating.is_safe)
  AND NOT EXISTS (
      SELECT FROM delivery_events AS settlement
      WHERE settlement.local_day = outcome.local_day
        AND settlement.person_id = outcome.person_id
        AND settlement.kind = outcome.kind
        AND settlement.release = outcome.release
        AND settlement.step = 2
  )
ORDER BY outcome.recorded_at
LIMIT $5
