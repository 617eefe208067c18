-- Keep the rebuild in phase $1, done up to and including $2, until this transaction ends.
-- No row: somebody else has moved it on. Copies wait for each other.
SELECT 1 FROM rebuild WHERE rebuild.phase = $1 AND rebuild.after IS NOT DISTINCT FROM $2 FOR UPDATE
