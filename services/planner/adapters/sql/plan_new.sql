-- Plan what is owed as plan_owed does, with the same parameters, where no row of it is there yet, as a
-- rule in a slice: otherwise it fails by the primary key, and plan_owed has to do it. A row costs a
-- fourth less so: one that may conflict is inserted speculatively, and confirmed by a record of its own.
-- Rows go in by instant, so that a release finds what is due together side by side: of a day of many
-- zones each page would else be read, and written, once for every zone. Another writer of the same rows
-- inserts them by key, so the two may wait for each other: then this fails by a deadlock.
-- Reads the buckets' partitions of celebrations by their primary key.
INSERT INTO plan (
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
ORDER BY owed.due_at, owed.person_id, owed.kind, owed.local_day
