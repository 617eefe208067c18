-- Person $1's rows of kind $2: those of the days from $3 on that are of the periods $4 or of the
-- days $5. Reads each partition's primary key, which leads with person and kind.
SELECT local_day, period, state, reason
FROM plan
WHERE person_id = $1 AND kind = $2 AND local_day >= $3
  AND (period = ANY ($4::date[]) OR local_day = ANY ($5::date[]))
ORDER BY local_day
