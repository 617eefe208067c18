-- Hold message $1 for redriving; nothing if there is none, or somebody redrove it.
SELECT id, queue, type, body, items
FROM set_aside
WHERE id = $1 AND redriven_at IS NULL
FOR UPDATE
