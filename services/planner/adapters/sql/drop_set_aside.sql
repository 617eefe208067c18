-- Forget what was redriven, or nobody looked at, longer than $1 ago.
DELETE FROM set_aside WHERE coalesce(redriven_at, recorded_at) < clock_timestamp() - $1::interval
