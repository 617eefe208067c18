-- Forget what was redriven longer than $1 ago. What waits for a person waits as long as it takes.
DELETE FROM set_aside WHERE redriven_at < clock_timestamp() - $1::interval
