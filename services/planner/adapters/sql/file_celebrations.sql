-- File celebrations, or replace those of the same bucket, person and kind. One array per column.
INSERT INTO celebrations (
    bucket, person_id, kind, zone, leap_day, origin, since, person_version
)
SELECT bucket, person_id, kind, zone, leap_day, origin, since, person_version
FROM unnest(
    $1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::date[], $7::timestamptz[],
    $8::int[]
) AS filed (bucket, person_id, kind, zone, leap_day, origin, since, person_version)
ON CONFLICT (bucket, person_id, kind) DO UPDATE
SET zone = excluded.zone,
    leap_day = excluded.leap_day,
    origin = excluded.origin,
    since = excluded.since,
    person_version = excluded.person_version
