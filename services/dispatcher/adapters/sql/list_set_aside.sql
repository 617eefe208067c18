-- List up to $2 messages that wait for a person, by id after $1. Reads set_aside_waiting_idx.
SELECT
    aside.id, aside.queue, aside.type, aside.reason, aside.items, aside.recorded_at
FROM set_aside AS aside
WHERE aside.redriven_at IS NULL AND aside.id > $1
ORDER BY aside.id
LIMIT $2
