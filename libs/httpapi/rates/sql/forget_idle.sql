-- Forget up to $2 callers who have had their whole allowance for $1 seconds: no row says the same.
-- Rows somebody works on are skipped. Walks the table, which holds who was here lately.
WITH idle AS (
    SELECT rate_limits.caller
    FROM rate_limits
    WHERE greatest(rate_limits.spent_until, rate_limits.asked_at)
        < extract(epoch FROM clock_timestamp()) - $1::double precision
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM rate_limits
USING idle
WHERE rate_limits.caller = idle.caller
