-- Hold the rows whose release the dispatcher handed back; return them with that release's number
-- and what operators hold them back for.
-- $1 day, $2 person, $3 kind, $4 release, arrays of one length. Needs lock_days_shared
-- and read_by_index.
-- One that is past the returned release, or answered, is not among them.
SELECT
    plan.local_day, plan.person_id, plan.kind, plan.state, returned.release, plan.due_at,
    plan.release_at, plan.person_version, hold.hold
FROM plan
JOIN unnest($1::date[], $2::uuid[], $3::text[], $4::int[])
    AS returned (local_day, person_id, kind, release)
  ON plan.local_day = returned.local_day
 AND plan.person_id = returned.person_id
 AND plan.kind = returned.kind
CROSS JOIN LATERAL held(plan.local_day, plan.person_id, plan.kind) AS hold
WHERE plan.local_day = ANY ($1)
  AND (
      (returned.release = plan.release AND plan.state = 'released')
      OR (returned.release > plan.release AND plan.state IN ('waiting', 'deferred', 'released'))
  )
ORDER BY plan.person_id, plan.kind, plan.local_day
FOR UPDATE OF plan
