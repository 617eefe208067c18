-- Of the occurrences of answers ($1 day, $2 person, $3 kind, arrays of one length) return those that
-- were just suppressed for what their person did, though the person has changed since the request.
-- Reads the rows and people by primary key. Needs read_by_index.
SELECT plan.local_day, plan.person_id, plan.kind
FROM unnest($1::date[], $2::uuid[], $3::text[]) AS answered (local_day, person_id, kind)
JOIN plan
  ON plan.local_day = answered.local_day
 AND plan.person_id = answered.person_id
 AND plan.kind = answered.kind
JOIN recipients AS recipient ON recipient.person_id = plan.person_id
WHERE plan.local_day = ANY ($1)
  AND plan.state = 'suppressed'
  AND plan.reason IN ('user_removed', 'opted_out')
  AND recipient.version > plan.requested_version
