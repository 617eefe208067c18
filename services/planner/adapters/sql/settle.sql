-- Record the outcome $6 (refused, unknown or suppressed) of these occurrences at $7.
-- $1 day, $2 person, $3 kind, $4 release, $5 reason, arrays of one length.
-- It counts if it answers a newer release than the plan knows of (its commit was lost after the
-- request went out), or this one while nothing better is known: outcomes arrive in any order, and
-- an unknown one never undoes what settled it. Reads the rows by primary key.
-- Needs read_by_index.
UPDATE plan
SET state = $6,
    reason = outcome.reason,
    release = outcome.release,
    ask_at = NULL,
    settled_at = $7
FROM unnest($1::date[], $2::uuid[], $3::text[], $4::int[], $5::text[])
    AS outcome (local_day, person_id, kind, release, reason)
WHERE plan.local_day = ANY ($1)
  AND plan.local_day = outcome.local_day
  AND plan.person_id = outcome.person_id
  AND plan.kind = outcome.kind
  AND plan.state <> 'accepted'
  AND (
      outcome.release > plan.release
      OR (outcome.release = plan.release AND plan.state IN ('waiting', 'released'))
      OR (outcome.release = plan.release AND plan.state = 'unknown' AND $6 <> 'unknown')
  )
