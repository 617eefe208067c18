-- Note that the message $1 was sent back to its queue at $2 (calendar).
UPDATE set_aside SET redriven_at = $2 WHERE set_aside.id = $1
