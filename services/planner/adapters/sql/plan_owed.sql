-- Plan what is owed in the buckets $3 to people after $4 up to $5 and among $6; NULL is no bound.
-- $1 falls, $2 the instants of all zones in question, $7 release of the zone data.
-- Repeating it changes nothing. A row made from a newer version of its person stays; so does one
-- that is released or answered. One that was ended only because the person or the date was away
-- comes back when it is owed again. What is called off is planned as that, and stays so.
-- Rows go in by key, so that two writers of the same rows wait for each other in one order.
-- Reads the buckets' partitions of celebrations by their primary key.
INSERT INTO plan AS planned (
    local_day, person_id, kind, due_at, release_at, expires_at, person_version, zone, tzdata,
    period, years, state, reason
)
SELECT
    owed.local_day, owed.person_id, owed.kind, owed.due_at, owed.due_at, owed.expires_at,
    owed.person_version, owed.zone, $7, owed.period, owed.years,
    CASE WHEN hold.hold = 'called_off' THEN 'cancelled' ELSE 'waiting' END,
    CASE WHEN hold.hold = 'called_off' THEN 'called_off' END
FROM owed($1::falling[], $2::jsonb) AS owed
CROSS JOIN LATERAL held(owed.local_day, owed.person_id, owed.kind) AS hold
WHERE owed.bucket = ANY ($3::smallint[])
  AND ($4::uuid IS NULL OR owed.person_id > $4)
  AND ($5::uuid IS NULL OR owed.person_id <= $5)
  AND ($6::uuid[] IS NULL OR owed.person_id = ANY ($6))
ORDER BY owed.person_id, owed.kind, owed.local_day
ON CONFLICT (person_id, kind, local_day) DO UPDATE
SET due_at = excluded.due_at,
    release_at = CASE planned.state
        WHEN 'deferred' THEN greatest(excluded.due_at, planned.release_at)
        ELSE excluded.due_at
    END,
    expires_at = excluded.expires_at,
    state = CASE
        WHEN excluded.state = 'cancelled' THEN 'cancelled'
        WHEN planned.state = 'deferred' THEN 'deferred'
        ELSE 'waiting'
    END,
    reason = CASE
        WHEN excluded.state = 'cancelled' THEN excluded.reason
        WHEN planned.state = 'deferred' THEN planned.reason
    END,
    person_version = excluded.person_version,
    zone = excluded.zone,
    tzdata = excluded.tzdata,
    years = excluded.years,
    settled_at = NULL
WHERE (
        planned.state IN ('waiting', 'deferred', 'cancelled')
        AND planned.reason IS DISTINCT FROM 'called_off'
        AND excluded.person_version > planned.person_version
    ) OR (
        planned.state = 'suppressed' AND planned.reason IN ('user_removed', 'opted_out')
        AND excluded.person_version >= planned.person_version
    )
