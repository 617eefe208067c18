-- Charge caller $1 for $2 requests that were let in already, and grant up to $3 more, at $4 requests
-- per second and at most $5 at once. Return how many were granted, how many are left for whoever
-- asks next, and after how many seconds there is one if there is none.
-- What was let in already is charged even where it leaves a debt. Beside copies of itself it waits
-- for the row of the same caller only. Reads the primary key.
INSERT INTO rate_limits AS known (caller, spent_until, granted, asked_at)
SELECT
    $1::bytea,
    clock.at + ($2::integer + least($3::integer, greatest($5::integer - $2::integer, 0)))
        / $4::double precision,
    least($3::integer, greatest($5::integer - $2::integer, 0)),
    clock.at
FROM (SELECT extract(epoch FROM clock_timestamp())::double precision AS at) AS clock
ON CONFLICT (caller) DO UPDATE
-- Unix seconds as doubles are exact to a quarter of a microsecond: a thousandth of a request is
-- given away rather than a whole one lost.
SET granted = greatest(0, least($3::integer, floor(
        (excluded.asked_at - greatest(known.spent_until, excluded.asked_at)) * $4::double precision
        + $5::integer - $2::integer + 0.001
    )::integer)),
    spent_until = greatest(known.spent_until, excluded.asked_at)
        + ($2::integer + greatest(0, least($3::integer, floor(
            (excluded.asked_at - greatest(known.spent_until, excluded.asked_at))
            * $4::double precision + $5::integer - $2::integer + 0.001
        )::integer))) / $4::double precision,
    asked_at = excluded.asked_at
RETURNING
    known.granted,
    greatest(0, floor(
        (known.asked_at - known.spent_until) * $4::double precision + $5::integer + 0.001
    ))::integer AS remaining,
    greatest(0, known.spent_until - known.asked_at - ($5::integer - 1) / $4::double precision)
        AS wait_s
