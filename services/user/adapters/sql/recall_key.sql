-- Return what idempotency key $2 of caller $1 stands for, and count the replay.
-- It writes on purpose: with synchronous replication a replayed answer then waits, like the first
-- one, until the write it tells of is kept elsewhere too. Reads the primary key.
UPDATE idempotency_keys
SET replays = replays + 1
WHERE caller = $1 AND key = $2
RETURNING request_hash, person_id, version
