-- Make rows of day $1 due again at $2 that a pause had put off: up to $7 of person $3 and kind $4
-- (NULL for all) after ($5, $6). Those that another pause holds stay.
-- Returns the last row looked at, and how many were looked at and brought back; nothing where there
-- is none. Rows are locked in the order of their keys. Reads plan_paused_idx.
WITH put_off AS MATERIALIZED (
    SELECT plan.person_id, plan.kind
    FROM plan
    WHERE plan.local_day = $1 AND plan.state = 'waiting' AND plan.reason = 'paused'
      AND ($3::uuid IS NULL OR plan.person_id = $3)
      AND ($4::text IS NULL OR plan.kind = $4)
      AND (plan.person_id, plan.kind) > ($5::uuid, $6::text)
    ORDER BY plan.person_id, plan.kind
    LIMIT $7
    FOR UPDATE
), changed AS (
    UPDATE plan
    SET release_at = greatest(plan.due_at, $2), reason = NULL
    FROM put_off
    CROSS JOIN LATERAL held($1, put_off.person_id, put_off.kind) AS hold
    WHERE hold.hold IS DISTINCT FROM 'paused'
      AND plan.local_day = $1
      AND plan.person_id = put_off.person_id
      AND plan.kind = put_off.kind
    RETURNING 1
)
SELECT
    put_off.person_id, put_off.kind,
    (SELECT count(*) FROM put_off) AS looked_at,
    (SELECT count(*) FROM changed) AS changed
FROM put_off
ORDER BY put_off.person_id DESC, put_off.kind DESC
LIMIT 1
