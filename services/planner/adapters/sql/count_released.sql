-- How many rows since day $1 are released and not answered, counted up to $2.
-- Reads plan_ask_idx.
SELECT count(*) FROM (
    SELECT FROM plan WHERE state = 'released' AND local_day >= $1 LIMIT $2
) AS unanswered
