-- When the next row of the days $1 to $2 is due, NULL if none waits. Reads plan_release_idx.
SELECT min(release_at) FROM plan
WHERE state IN ('waiting', 'deferred') AND local_day BETWEEN $1 AND $2
