-- Open the days $1 at $2. Needs lock_days. A day opened by someone else meanwhile is left alone.
INSERT INTO days (local_day, opened_at)
SELECT day, $2 FROM unnest($1::date[]) AS day
ON CONFLICT (local_day) DO NOTHING
RETURNING local_day
