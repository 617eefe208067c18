-- The pause $1.
SELECT
    pause_id, person_id, kind, reason, paused_at, paused_by, resumed_at, resumed_by
FROM pauses
WHERE pause_id = $1
