-- Forget the messages that were sent back before $1 (calendar). Reads the table whole, which holds
-- little as long as nothing is wrong.
DELETE FROM set_aside WHERE set_aside.redriven_at < $1
