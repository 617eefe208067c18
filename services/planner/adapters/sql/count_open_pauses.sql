-- How many pauses are not resumed. Reads pauses_open_idx.
SELECT count(*) FROM pauses WHERE resumed_at IS NULL
