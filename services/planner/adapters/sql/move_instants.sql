-- Move up to $7 pending rows of day $1 to the instants that another release of the zone data gives
-- them; return how many. $2 kind, $3 zone, $4 the instant planned so far, $5 the new one, $6 its
-- late limit, arrays of one length; $8 the release. What waits for a retry still waits for it; what
-- is paused stays put off until it is too late. A released row stays released: its request is out,
-- and its instant had come by the rules of then.
-- Rows are taken by key, so that two of these wait for each other in one order. Reads the day's
-- partition whole.
WITH moved AS MATERIALIZED (
    SELECT plan.person_id, plan.kind, move.new_due_at, move.new_expires_at
    FROM plan
    JOIN unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
        AS move (kind, zone, due_at, new_due_at, new_expires_at)
      ON plan.kind = move.kind AND plan.zone = move.zone AND plan.due_at = move.due_at
    WHERE plan.local_day = $1 AND plan.state IN ('waiting', 'deferred', 'released')
    ORDER BY plan.person_id, plan.kind
    LIMIT $7
    FOR UPDATE OF plan
)
UPDATE plan
SET due_at = moved.new_due_at,
    expires_at = moved.new_expires_at,
    release_at = CASE
        WHEN plan.reason = 'paused' AND plan.release_at > plan.expires_at
            THEN moved.new_expires_at + '1 microsecond'::interval
        WHEN plan.release_at = plan.due_at THEN moved.new_due_at
        ELSE greatest(plan.release_at, moved.new_due_at)
    END,
    tzdata = $8
FROM moved
WHERE plan.local_day = $1
  AND plan.person_id = moved.person_id
  AND plan.kind = moved.kind
