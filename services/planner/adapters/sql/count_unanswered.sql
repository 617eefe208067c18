-- How many rows of the days from $1 on were released longer than $2 of real time ago and are not
-- answered, counted up to $3. Reads plan_ask_idx. Needs read_by_index.
SELECT count(*) FROM (
    SELECT FROM plan
    WHERE state = 'released' AND local_day >= $1 AND released_at < clock_timestamp() - $2::interval
    LIMIT $3
) AS unanswered
