-- How many rows of the days $1 to $2 are released and not answered, counted up to $3.
-- Reads plan_ask_idx. Needs read_by_index.
SELECT count(*) FROM (
    SELECT FROM plan WHERE state = 'released' AND local_day BETWEEN $1 AND $2 LIMIT $3
) AS unanswered
