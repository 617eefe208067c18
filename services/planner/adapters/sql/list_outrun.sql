-- Of the occurrences of answers ($1 day, $2 person, $3 kind, arrays of one length) return those that
-- were just suppressed for what their person did, though the person has changed since the request.
-- Reads the rows and people by primary key: OFFSET 0 has each of them looked up, where a guess would
-- read whatever is suppressed first, or everybody while few are known. Needs read_by_index.
SELECT answered.local_day, answered.person_id, answered.kind
FROM unnest($1::date[], $2::uuid[], $3::text[]) AS answered (local_day, person_id, kind)
CROSS JOIN LATERAL (
    SELECT plan.state, plan.reason, plan.requested_version
    FROM plan
    WHERE plan.local_day = ANY ($1)
      AND plan.local_day = answered.local_day
      AND plan.person_id = answered.person_id
      AND plan.kind = answered.kind
    OFFSET 0
) AS planned
CROSS JOIN LATERAL (
    SELECT recipient.version
    FROM recipients AS recipient
    WHERE recipient.person_id = answered.person_id
    OFFSET 0
) AS known
WHERE planned.state = 'suppressed'
  AND planned.reason IN ('user_removed', 'opted_out')
  AND known.version > planned.requested_version
