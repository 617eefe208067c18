-- List the occurrences of the people at the address $1 that were tried on local days from $2 to $3,
-- the latest day first, at most $4. One look a day and person: reads contacts_address_idx and
-- delivery_events_pkey.
SELECT event.local_day, event.person_id, event.kind
FROM contacts AS person
CROSS JOIN generate_series(0, $3::date - $2::date) AS day (number)
CROSS JOIN LATERAL (
    SELECT DISTINCT tried.local_day, tried.person_id, tried.kind
    FROM delivery_events AS tried
    WHERE tried.local_day = $2::date + day.number
      AND tried.person_id = person.person_id
      AND tried.step = 0
      AND tried.lease_until IS NOT NULL
) AS event
WHERE person.address = $1
ORDER BY event.local_day DESC, event.person_id, event.kind
LIMIT $4
