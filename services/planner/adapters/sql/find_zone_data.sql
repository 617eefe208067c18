-- The release of the zone data that counts: the one adopted last; nothing before a first start.
SELECT turn, release, adopted_at, replanned_at, moved
FROM zone_data
ORDER BY turn DESC
LIMIT 1
