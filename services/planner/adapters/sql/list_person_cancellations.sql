-- The cancellations that hold person $1, general ones included, of days from $2 on, oldest first.
-- Reads cancellations_scope_idx.
SELECT
    cancellation_id, person_id, kind, first_day, last_day, reason, cancelled_at, cancelled_by
FROM cancellations
WHERE (person_id = $1 OR person_id IS NULL) AND last_day >= $2
ORDER BY cancellation_id
