-- Remember that idempotency key $2 of caller $1 (request hash $3) stands for person $4 at version
-- $5, for a write that changed nothing. A key that is there already stays; no row comes back.
INSERT INTO idempotency_keys (caller, key, request_hash, person_id, version)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING person_id
