-- Return how many real seconds ago the last row below position $2 but not below $1 was recorded,
-- NULL if there is none. Reads the end of one primary key.
SELECT
    extract(epoch FROM clock_timestamp() - outbox.recorded_at)::double precision AS age_s
FROM outbox
WHERE outbox.position >= $1 AND outbox.position < $2
ORDER BY outbox.position DESC
LIMIT 1
