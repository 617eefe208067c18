-- Note at $4 that slice $3 of bucket $2 of day $1 is planned. The caller holds the slice's row.
UPDATE slices SET done_at = $4 WHERE local_day = $1 AND bucket = $2 AND slice = $3
