-- Person $1's rows in the plan of the days $2 to $3, newest first, at most $4.
-- Reads each partition's primary key, which leads with the person.
SELECT
    local_day, person_id, kind, due_at, expires_at, state, reason, release, zone, period, years,
    settled_at
FROM plan
WHERE person_id = $1 AND local_day BETWEEN $2 AND $3
ORDER BY local_day DESC, kind
LIMIT $4
