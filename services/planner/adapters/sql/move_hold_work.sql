-- Note that day $2 has followed the hold $1 up to and including person $3's row of kind $4. The
-- caller holds the row.
UPDATE hold_work SET after_person = $3, after_kind = $4 WHERE hold_id = $1 AND local_day = $2
