-- Hold the rows of the people $1 on the days $2 that are not answered, and return them.
-- Released ones too: one that is being handed back right now is waited for and seen as it is then.
SELECT local_day, person_id, kind, state, release, due_at, release_at, person_version
FROM plan
WHERE local_day = ANY ($2::date[]) AND person_id = ANY ($1::uuid[])
  AND state IN ('waiting', 'deferred', 'released')
ORDER BY person_id, kind, local_day
FOR UPDATE
