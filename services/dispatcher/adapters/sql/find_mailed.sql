-- Return the address of a person who was sent the mail of an occurrence: $1 local day, $2 person,
-- $3 kind. No row where no mail of it was tried; the address is NULL of those who left.
-- Reads delivery_events_pkey and contacts_pkey.
SELECT person.address
FROM contacts AS person
WHERE person.person_id = $2
  AND EXISTS (
      SELECT FROM delivery_events AS event
      WHERE event.local_day = $1
        AND event.person_id = $2
        AND event.kind = $3
        AND event.step = 0
        AND event.lease_until IS NOT NULL
  )
