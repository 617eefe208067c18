-- Take up to $3 rows of the days $1 to $4 whose release was not answered in time, to ask again
-- under the same number; the next asking comes after twice as long, from $2 up to an hour of real time.
-- Rows another planner holds are skipped. Reads plan_ask_idx, then the rows by primary key.
-- Needs read_by_index.
WITH silent AS MATERIALIZED (
    SELECT local_day, person_id, kind
    FROM plan
    WHERE state = 'released' AND ask_at <= clock_timestamp() AND local_day BETWEEN $1 AND $4
    ORDER BY ask_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE plan
SET asks = least(plan.asks + 1, 1000),
    ask_at = clock_timestamp()
        + least($2::interval * power(2, least(plan.asks + 1, 20)), '1 hour'::interval)
FROM silent
WHERE plan.local_day BETWEEN $1 AND $4
  AND plan.local_day = silent.local_day
  AND plan.person_id = silent.person_id
  AND plan.kind = silent.kind
RETURNING
    plan.local_day, plan.person_id, plan.kind, plan.release, plan.period, plan.due_at,
    plan.expires_at, plan.person_version, plan.years
