-- Return the message $1 if it still waits for a person.
SELECT aside.id, aside.queue, aside.type, aside.body, aside.items, aside.arrivals
FROM set_aside AS aside
WHERE aside.id = $1 AND aside.redriven_at IS NULL
