-- Return the known recipients among $1 and keep others from changing them.
-- In one order, so that batches with the same people wait instead of dying.
SELECT
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since, is_erased, zones_left
FROM recipients
WHERE person_id = ANY ($1::uuid[])
ORDER BY person_id
FOR UPDATE
