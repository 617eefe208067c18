-- Take up to $3 rows of the days $1 to $4 whose release was not answered in time, to ask again
-- under the same number; the next asking comes after twice as long, from $2 up to an hour of real time.
-- Asked by the version of its person that is known now, where that has left the schedule as it was.
-- Rows another planner holds are skipped. Reads plan_ask_idx, then the rows by primary key.
-- Needs read_by_index.
WITH silent AS MATERIALIZED (
    SELECT
        plan.local_day, plan.person_id, plan.kind,
        CASE
            WHEN recipient.schedule_version <= plan.person_version
                THEN greatest(recipient.version, plan.person_version)
            ELSE plan.person_version
        END AS person_version
    FROM plan
    LEFT JOIN recipients AS recipient ON recipient.person_id = plan.person_id
    WHERE plan.state = 'released' AND plan.ask_at <= clock_timestamp()
      AND plan.local_day BETWEEN $1 AND $4
    ORDER BY plan.ask_at
    LIMIT $3
    FOR UPDATE OF plan SKIP LOCKED
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
    plan.expires_at, silent.person_version, plan.years
