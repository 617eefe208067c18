-- Count the messages that wait for a person. Reads set_aside_waiting_idx.
SELECT count(*) AS waiting FROM set_aside AS aside WHERE aside.redriven_at IS NULL
