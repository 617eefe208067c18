-- Suppress the address $1 for the reason $2 from $3 on; a known one keeps its instant.
INSERT INTO suppressions (address, reason, since)
VALUES ($1, $2, $3)
ON CONFLICT (address) DO UPDATE
SET reason = excluded.reason
RETURNING suppressions.address, suppressions.reason, suppressions.since
