-- Make these occurrences due again at their retry time, never before their instant.
-- $1 day, $2 person, $3 kind, $4 release, $5 reason, $6 retry_at, arrays of one length.
-- What counts, and what is read, is as in settle. Needs lock_days_shared, since it makes rows
-- pending again, and read_by_index.
UPDATE plan
SET state = 'deferred',
    reason = outcome.reason,
    release = outcome.release,
    release_at = greatest(outcome.retry_at, plan.due_at),
    ask_at = NULL,
    settled_at = NULL
FROM unnest($1::date[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::timestamptz[])
    AS outcome (local_day, person_id, kind, release, reason, retry_at)
WHERE plan.local_day = ANY ($1)
  AND plan.local_day = outcome.local_day
  AND plan.person_id = outcome.person_id
  AND plan.kind = outcome.kind
  AND plan.state <> 'accepted'
  AND (
      outcome.release > plan.release
      OR (outcome.release = plan.release AND plan.state IN ('waiting', 'released', 'unknown'))
  )
