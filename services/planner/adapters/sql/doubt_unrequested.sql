-- Note of the rows of the people $1 on the days $2 that wait since before $3 and were never requested
-- that a row lost before may have been: as by version 0. Reads each day's rows by primary key.
-- Needs read_by_index.
UPDATE plan
SET requested_version = 0
WHERE plan.local_day = ANY ($2::date[])
  AND plan.person_id = ANY ($1::uuid[])
  AND plan.state = 'waiting'
  AND plan.due_at <= $3
  AND plan.requested_version IS NULL
