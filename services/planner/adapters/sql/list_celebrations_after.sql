-- Up to $4 celebrations after bucket $1, person $2 and kind $3, in that order.
-- Reads the partitions' primary keys.
SELECT bucket, person_id, kind
FROM celebrations
WHERE (bucket, person_id, kind) > ($1, $2, $3)
ORDER BY bucket, person_id, kind
LIMIT $4
