-- Return the recipients among $1 as they are now.
SELECT
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since, is_erased, zones_left
FROM recipients
WHERE person_id = ANY ($1::uuid[])
