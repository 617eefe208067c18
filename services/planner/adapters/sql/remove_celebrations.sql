-- Remove the celebrations ($1 bucket, $2 person, $3 kind), arrays of one length.
-- The first condition chooses the partitions, the rest the rows by primary key.
DELETE FROM celebrations
USING unnest($1::smallint[], $2::uuid[], $3::text[]) AS gone (bucket, person_id, kind)
WHERE celebrations.bucket = ANY ($1)
  AND celebrations.bucket = gone.bucket
  AND celebrations.person_id = gone.person_id
  AND celebrations.kind = gone.kind
