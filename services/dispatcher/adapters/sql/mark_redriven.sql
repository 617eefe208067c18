-- Note that the message $1 was sent back to its queue at $2 (calendar), unless it has come again
-- since its arrivals were $3: its consumer may be faster than this statement.
UPDATE set_aside
SET redriven_at = $2
WHERE set_aside.id = $1 AND set_aside.arrivals = $3
