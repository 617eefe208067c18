-- Suppress addresses from $3 (calendar) on: arrays $1 addresses, none twice, $2 reasons. A known one
-- keeps its instant. Under the lock of lock_suppressions.
INSERT INTO suppressions (address, reason, since)
SELECT told.address, told.reason, $3
FROM unnest($1::text[], $2::text[]) AS told (address, reason)
ORDER BY told.address
ON CONFLICT (address) DO UPDATE
SET reason = excluded.reason
RETURNING suppressions.address, suppressions.reason, suppressions.since
