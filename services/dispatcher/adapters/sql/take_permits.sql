-- Take permits for mails through the provider $1: as many as there are up to $2, or none while there
-- are fewer than $3. $4 permits come a second, $5 at most lie ready; $3 is not above $5.
-- Returns how many were taken and, if none, in how many real seconds $3 will be there.
--
-- One row a provider, by the database's clock, so the rate holds for all dispatchers together: copies
-- of this statement wait for the row, each for one short transaction. A clock that was set back
-- cannot keep the bucket empty for longer than it takes to fill.
WITH asked AS MATERIALIZED (
    SELECT
        $2::integer AS wanted, least($2, $3)::integer AS fewest,
        $4::float8 AS per_s, $5::integer AS burst
)
INSERT INTO provider_rates AS bucket (provider, asked_at, granted, full_at)
SELECT
    $1, clock_timestamp(), least(asked.wanted, asked.burst),
    clock_timestamp() + make_interval(secs => least(asked.wanted, asked.burst) / asked.per_s)
FROM asked
ON CONFLICT (provider) DO UPDATE
SET (asked_at, granted, full_at) = (
    SELECT
        excluded.asked_at, taken.permits,
        excluded.asked_at + make_interval(secs => taken.owed_s + taken.permits / taken.per_s)
    FROM (
        SELECT
            bucket_now.owed_s, bucket_now.per_s,
            CASE WHEN bucket_now.ready >= bucket_now.fewest
                THEN least(bucket_now.wanted, bucket_now.ready)
                ELSE 0
            END AS permits
        FROM (
            SELECT
                asked.wanted, asked.fewest, asked.per_s, owing.owed_s,
                -- A microsecond is as exact as the clock: what is due by then is there.
                floor(asked.burst - owing.owed_s * asked.per_s + 0.000001)::integer AS ready
            FROM asked
            CROSS JOIN LATERAL (
                SELECT least(
                    greatest(extract(epoch FROM bucket.full_at - excluded.asked_at)::float8, 0),
                    asked.burst / asked.per_s
                ) AS owed_s
            ) AS owing
        ) AS bucket_now
    ) AS taken
)
RETURNING
    bucket.granted,
    (
        SELECT CASE WHEN bucket.granted > 0 THEN 0 ELSE greatest(
            extract(epoch FROM bucket.full_at - bucket.asked_at)::float8
                - (asked.burst - asked.fewest) / asked.per_s,
            0
        ) END
        FROM asked
    ) AS wait_s
