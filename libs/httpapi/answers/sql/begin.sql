-- Begin the request that caller $1 names $2 (hash $3). A row comes back to whoever may go on: the
-- first, or, $4 seconds after a first one whose process must have died, the next with the same
-- hash. Beside copies of itself one gets it. Reads the primary key.
INSERT INTO remembered_answers AS known (caller, key, request_hash)
VALUES ($1, $2, $3)
ON CONFLICT (caller, key) DO UPDATE
SET begun_at = clock_timestamp()
WHERE known.status IS NULL
  AND known.request_hash = excluded.request_hash
  AND known.begun_at < clock_timestamp() - make_interval(secs => $4)
RETURNING known.key
