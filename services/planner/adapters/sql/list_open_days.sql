-- The days that projections keep up to date. Reads days_open_idx.
SELECT local_day FROM days WHERE closed_at IS NULL ORDER BY local_day
