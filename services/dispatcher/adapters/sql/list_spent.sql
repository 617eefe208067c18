-- Return the places of the requests whose period another day holds for good: $1 periods, $2 persons,
-- $3 kinds, $4 local days. An attempt still in flight, or unknown and not settled, may yet let go.
-- Reads greeted_pkey and delivery_events_pkey.
SELECT asked.place
FROM unnest($1::date[], $2::uuid[], $3::text[], $4::date[])
    WITH ORDINALITY AS asked (period, person_id, kind, local_day, place)
JOIN greeted
    ON greeted.period = asked.period
    AND greeted.person_id = asked.person_id
    AND greeted.kind = asked.kind
WHERE greeted.holder_day <> asked.local_day
  AND coalesce((
      SELECT event.type
      FROM delivery_events AS event
      WHERE event.local_day = greeted.holder_day
        AND event.person_id = greeted.person_id
        AND event.kind = greeted.kind
        AND event.release = greeted.holder_release
      ORDER BY event.step DESC
      LIMIT 1
  ), 'accepted') = 'accepted'
