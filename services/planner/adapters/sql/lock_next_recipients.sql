-- Return up to $2 recipients after $1, in order, and keep others from changing them.
SELECT
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since, is_erased, zones_left
FROM recipients
WHERE $1::uuid IS NULL OR person_id > $1
ORDER BY person_id
LIMIT $2
FOR UPDATE
