-- Return what caller $1 was answered under key $2, and count the replay.
-- It writes on purpose: with synchronous replication a replayed answer then waits, like the first
-- one, until the write it tells of is kept elsewhere too. Reads the primary key.
UPDATE remembered_answers
SET replays = replays + 1
WHERE caller = $1 AND key = $2
RETURNING request_hash, status, headers::text AS headers, body
