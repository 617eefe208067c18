-- The open pauses that hold person $1, general ones included, oldest first.
-- Reads pauses_open_idx.
SELECT
    pause_id, person_id, kind, reason, paused_at, paused_by, resumed_at, resumed_by
FROM pauses
WHERE resumed_at IS NULL AND (person_id = $1 OR person_id IS NULL)
ORDER BY pause_id
