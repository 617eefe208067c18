-- Return up to $2 idempotency keys that stand for writes to person $1, latest first.
-- Reads idempotency_keys_person_idx.
SELECT caller, key, version, recorded_at
FROM idempotency_keys
WHERE person_id = $1
ORDER BY recorded_at DESC
LIMIT $2
