-- Up to $2 cancellations before the id $1 (NULL: from the newest on), newest first.
SELECT
    cancellation_id, person_id, kind, first_day, last_day, reason, cancelled_at, cancelled_by
FROM cancellations
WHERE $1::uuid IS NULL OR cancellation_id < $1
ORDER BY cancellation_id DESC
LIMIT $2
