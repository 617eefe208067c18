-- Note that message $1 was redriven now. The caller holds its row.
UPDATE set_aside SET redriven_at = clock_timestamp() WHERE id = $1
