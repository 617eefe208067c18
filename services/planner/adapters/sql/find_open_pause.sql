-- The open pause of exactly this scope: $1 person, $2 kind, NULL for all.
SELECT
    pause_id, person_id, kind, reason, paused_at, paused_by, resumed_at, resumed_by
FROM pauses
WHERE resumed_at IS NULL
  AND person_id IS NOT DISTINCT FROM $1::uuid
  AND kind IS NOT DISTINCT FROM $2::text
