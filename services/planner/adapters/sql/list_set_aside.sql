-- Up to $2 messages set aside and not redriven, after id $1 if given, oldest first.
-- Reads set_aside_waiting_idx.
SELECT id, queue, type, reason, items, recorded_at
FROM set_aside
WHERE redriven_at IS NULL AND ($1::uuid IS NULL OR id > $1)
ORDER BY id
LIMIT $2
