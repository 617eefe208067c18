-- Insert people nobody knew; return those that are new indeed. Whoever is missing from the answer
-- was inserted by someone else meanwhile. One array per column, in order of person_id.
INSERT INTO recipients (
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since, is_erased, zones_left
)
SELECT
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, string_to_array(opt_outs, ' '), opted_in_since, is_erased, zones_left
FROM unnest(
    $1::uuid[], $2::int[], $3::int[], $4::boolean[], $5::text[], $6::text[], $7::timestamptz[],
    $8::jsonb[], $9::jsonb[], $10::text[], $11::jsonb[], $12::boolean[], $13::jsonb[]
) AS incoming (
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since, is_erased, zones_left
)
ON CONFLICT (person_id) DO NOTHING
RETURNING person_id
