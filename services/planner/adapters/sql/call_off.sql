-- Call off rows of day $1 at $2 that are not released: up to $7 of person $3 and kind $4 (NULL for
-- all) after ($5, $6). Released ones end by an answer.
-- Returns the last row looked at, and how many were looked at and called off; nothing where there
-- is none. Rows are locked in the order of their keys. Reads the rows by primary key.
WITH pending AS MATERIALIZED (
    SELECT plan.person_id, plan.kind
    FROM plan
    WHERE plan.local_day = $1 AND plan.state IN ('waiting', 'deferred')
      AND ($3::uuid IS NULL OR plan.person_id = $3)
      AND ($4::text IS NULL OR plan.kind = $4)
      AND (plan.person_id, plan.kind) > ($5::uuid, $6::text)
    ORDER BY plan.person_id, plan.kind
    LIMIT $7
    FOR UPDATE
), changed AS (
    UPDATE plan
    SET state = 'cancelled', reason = 'called_off', ask_at = NULL, settled_at = $2
    FROM pending
    WHERE plan.local_day = $1
      AND plan.person_id = pending.person_id
      AND plan.kind = pending.kind
    RETURNING 1
)
SELECT
    pending.person_id, pending.kind,
    (SELECT count(*) FROM pending) AS looked_at,
    (SELECT count(*) FROM changed) AS changed
FROM pending
ORDER BY pending.person_id DESC, pending.kind DESC
LIMIT 1
