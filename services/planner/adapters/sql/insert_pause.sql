-- Pause what $2 person and $3 kind name under the id $1, for the reason $4, at $5, by $6.
-- Needs lock_holds.
INSERT INTO pauses (pause_id, person_id, kind, reason, paused_at, paused_by)
VALUES ($1, $2, $3, $4, $5, $6)
