-- Forget up to $2 idempotency keys older than $1 seconds by the server's own clock, oldest first.
-- Keys another copy is deleting are skipped. Reads idempotency_keys_recorded_idx.
WITH old AS (
    SELECT caller, key
    FROM idempotency_keys
    WHERE recorded_at < clock_timestamp() - make_interval(secs => $1)
    ORDER BY recorded_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys
USING old
WHERE idempotency_keys.caller = old.caller AND idempotency_keys.key = old.key
