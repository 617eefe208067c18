-- Note that all of day $2 has followed the hold $1. The caller holds the row.
DELETE FROM hold_work WHERE hold_id = $1 AND local_day = $2
