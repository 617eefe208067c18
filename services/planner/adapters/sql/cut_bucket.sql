-- Cut bucket $2 of day $1 into slices of $3 celebrations. The last has no upper and the first no
-- lower bound, so together they hold everyone, whoever comes and goes meanwhile.
-- Reads the bucket's primary key.
INSERT INTO slices (local_day, bucket, slice, after, upto)
SELECT
    $1,
    $2,
    row_number() OVER (ORDER BY bound.upto NULLS LAST),
    lag(bound.upto) OVER (ORDER BY bound.upto NULLS LAST),
    bound.upto
FROM (
    SELECT numbered.person_id AS upto
    FROM (
        SELECT person_id, row_number() OVER (ORDER BY person_id, kind) AS place
        FROM celebrations
        WHERE bucket = $2
    ) AS numbered
    WHERE numbered.place % $3::int = 0
    UNION
    SELECT NULL
) AS bound
