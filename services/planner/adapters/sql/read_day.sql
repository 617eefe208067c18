-- How far the opening, planning and closing of day $1 has come.
SELECT local_day, opened_at, planned_at, closed_at FROM days WHERE local_day = $1
