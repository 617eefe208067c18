-- End the pause $1 at $2, by $3, unless it has ended. Needs lock_holds.
UPDATE pauses SET resumed_at = $2, resumed_by = $3 WHERE pause_id = $1 AND resumed_at IS NULL
RETURNING pause_id, person_id, kind, reason, paused_at, paused_by, resumed_at, resumed_by
