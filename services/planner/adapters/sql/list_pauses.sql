-- Up to $3 pauses before the id $2 (NULL: from the newest on), newest first; only open ones if $1.
SELECT
    pause_id, person_id, kind, reason, paused_at, paused_by, resumed_at, resumed_by
FROM pauses
WHERE (NOT $1 OR resumed_at IS NULL) AND ($2::uuid IS NULL OR pause_id < $2)
ORDER BY pause_id DESC
LIMIT $3
