-- Replace people. The caller holds their rows and has compared the versions. One array per column.
UPDATE recipients
SET version = incoming.version,
    schedule_version = incoming.schedule_version,
    is_active = incoming.is_active,
    zone = incoming.zone,
    leap_day = incoming.leap_day,
    active_since = incoming.active_since,
    dates = incoming.dates,
    dates_since = incoming.dates_since,
    opt_outs = string_to_array(incoming.opt_outs, ' '),
    opted_in_since = incoming.opted_in_since,
    is_erased = incoming.is_erased,
    zones_left = incoming.zones_left
FROM unnest(
    $1::uuid[], $2::int[], $3::int[], $4::boolean[], $5::text[], $6::text[], $7::timestamptz[],
    $8::jsonb[], $9::jsonb[], $10::text[], $11::jsonb[], $12::boolean[], $13::jsonb[]
) AS incoming (
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since, is_erased, zones_left
)
WHERE recipients.person_id = incoming.person_id
