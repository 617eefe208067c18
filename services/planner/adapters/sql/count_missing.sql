-- Count what is owed on day $6 in bucket $3 to people after $4 up to $5 (NULL is no bound) and has
-- no row in the plan. $1 falls, $2 the instants of all zones.
-- What is owed and its row are committed together, so one statement sees both or neither.
-- Reads the bucket's primary key, and the rows of the day by primary key.
SELECT count(*)
FROM owed($1::falling[], $2::jsonb) AS owed
WHERE owed.bucket = $3::smallint
  AND ($4::uuid IS NULL OR owed.person_id > $4)
  AND ($5::uuid IS NULL OR owed.person_id <= $5)
  AND NOT EXISTS (
      SELECT FROM plan
      WHERE plan.local_day = $6
        AND plan.person_id = owed.person_id
        AND plan.kind = owed.kind
  )
