-- Have release $1 of the zone data count from $2 on. It is wholly planned by at $3; NULL: not yet.
-- Needs lock_zone_data.
INSERT INTO zone_data (release, adopted_at, replanned_at) VALUES ($1, $2, $3)
