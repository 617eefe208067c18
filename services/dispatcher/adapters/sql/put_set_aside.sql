-- Set a message aside: $1 id, $2 queue, $3 type, $4 reason, $5 body, $6 items, $7 now (calendar).
-- The id follows from queue and body, so a copy is the same row; its arrivals are counted. One that
-- comes back after, or while, it is sent back waits again.
INSERT INTO set_aside (id, queue, type, reason, body, items, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE
SET reason = excluded.reason,
    recorded_at = excluded.recorded_at,
    arrivals = set_aside.arrivals + 1,
    redriven_at = NULL
