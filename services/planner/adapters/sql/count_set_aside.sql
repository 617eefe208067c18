-- Count the messages that wait for a person. Reads set_aside_waiting_idx.
SELECT count(*) FROM set_aside WHERE redriven_at IS NULL
