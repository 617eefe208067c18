-- Return which local day holds each period: $1 periods, $2 persons, $3 kinds, by their place.
SELECT asked.place, greeted.holder_day
FROM unnest($1::date[], $2::uuid[], $3::text[])
    WITH ORDINALITY AS asked (period, person_id, kind, place)
JOIN greeted
    ON greeted.period = asked.period
    AND greeted.person_id = asked.person_id
    AND greeted.kind = asked.kind
WHERE greeted.holder_day IS NOT NULL
