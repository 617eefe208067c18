-- File celebrations, or replace those of the same bucket, person and kind. One array per column;
-- zones left are separated by blanks.
INSERT INTO celebrations (
    bucket, person_id, kind, zone, leap_day, origin, since, person_version, zones_left
)
SELECT
    bucket, person_id, kind, zone, leap_day, origin, since, person_version,
    nullif(string_to_array(zones_left, ' '), '{}')
FROM unnest(
    $1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::date[], $7::timestamptz[],
    $8::int[], $9::text[]
) AS filed (bucket, person_id, kind, zone, leap_day, origin, since, person_version, zones_left)
ON CONFLICT (bucket, person_id, kind) DO UPDATE
SET zone = excluded.zone,
    leap_day = excluded.leap_day,
    origin = excluded.origin,
    since = excluded.since,
    person_version = excluded.person_version,
    zones_left = excluded.zones_left
