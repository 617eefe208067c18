-- Write what plan rows become, at $13, with $14 as release of the zone data. The caller holds them.
-- One array per column; NULL leaves a value as it is. Reads the rows by
-- primary key. Needs read_by_index.
UPDATE plan
SET state = change.state,
    reason = CASE change.state WHEN 'deferred' THEN plan.reason ELSE change.reason END,
    release = coalesce(change.release, plan.release),
    person_version = coalesce(change.person_version, plan.person_version),
    due_at = coalesce(change.due_at, plan.due_at),
    release_at = coalesce(change.release_at, plan.release_at),
    expires_at = coalesce(change.expires_at, plan.expires_at),
    zone = coalesce(change.zone, plan.zone),
    tzdata = CASE WHEN change.due_at IS NULL THEN plan.tzdata ELSE $14 END,
    years = CASE WHEN change.due_at IS NULL THEN plan.years ELSE change.years END,
    ask_at = NULL,
    settled_at = CASE WHEN change.state IN ('suppressed', 'cancelled') THEN $13::timestamptz END
FROM unnest(
    $1::date[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::int[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::smallint[]
) AS change (
    local_day, person_id, kind, state, reason, person_version, release, due_at, release_at,
    expires_at, zone, years
)
WHERE plan.local_day = ANY ($1)
  AND plan.local_day = change.local_day
  AND plan.person_id = change.person_id
  AND plan.kind = change.kind
