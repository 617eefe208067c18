-- Take up to $3 rows of day $2 that are due at $1, earliest first, and judge them by what their
-- people are now: release them under the next number, suppress, call off or expire them. One made
-- from an older schedule than its person has is returned as "stale" and left as it is. One that is
-- paused is put off until it is too late: whoever ends the pause brings it back before.
-- A released row is asked for again $4 of real time later, and keeps by which version of its person
-- it was requested.
-- One that a rebuild made anew is requested even if it is too late: what it replaces may have been
-- sent, and then the dispatcher says so instead of sending anything. So even while it is paused: put
-- off until it is too late it would be due again at once, for ever.
-- Rows another planner holds are skipped, so planners never wait for each other.
-- Reads plan_release_idx of the day's partition, then people by primary key and the rows by their
-- place. A row that somebody else has just written, and this statement has locked since, is at a new
-- place that its snapshot does not see: it is left as it is, to be taken the next time.
-- Needs lock_holds_shared and read_by_index.
WITH due AS MATERIALIZED (
    SELECT ctid, person_id, kind, state, reason, person_version, requested_version, expires_at
    FROM plan
    WHERE local_day = $2 AND state IN ('waiting', 'deferred') AND release_at <= $1
    ORDER BY release_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT
        due.ctid, due.state, due.reason, recipient.version AS known_version,
        CASE
            WHEN recipient.is_active IS NOT TRUE THEN 'user_removed'
            WHEN due.kind = ANY (recipient.opt_outs) THEN 'opted_out'
            WHEN hold.hold = 'called_off' THEN 'called_off'
            WHEN recipient.schedule_version > due.person_version THEN 'stale'
            WHEN due.expires_at < $1 AND due.requested_version IS DISTINCT FROM 0 THEN 'too_late'
            WHEN hold.hold = 'paused' AND due.expires_at >= $1 THEN 'paused'
            ELSE 'released'
        END AS verdict
    FROM due
    LEFT JOIN recipients AS recipient ON recipient.person_id = due.person_id
    CROSS JOIN LATERAL held($2, due.person_id, due.kind) AS hold
)
UPDATE plan
SET state = CASE judged.verdict
        WHEN 'released' THEN 'released'
        WHEN 'too_late' THEN 'expired'
        WHEN 'called_off' THEN 'cancelled'
        WHEN 'paused' THEN 'waiting'
        WHEN 'stale' THEN judged.state
        ELSE 'suppressed'
    END,
    reason = CASE judged.verdict
        WHEN 'released' THEN NULL
        WHEN 'stale' THEN judged.reason
        WHEN 'too_late' THEN CASE judged.reason WHEN 'paused' THEN 'paused' ELSE 'too_late' END
        ELSE judged.verdict
    END,
    release_at = CASE judged.verdict
        WHEN 'paused' THEN plan.expires_at + '1 microsecond'::interval ELSE plan.release_at
    END,
    release = plan.release + (judged.verdict = 'released')::int,
    released_at = CASE judged.verdict
        WHEN 'released' THEN clock_timestamp() ELSE plan.released_at
    END,
    requested_version = CASE judged.verdict
        WHEN 'released' THEN judged.known_version ELSE plan.requested_version
    END,
    ask_at = CASE judged.verdict WHEN 'released' THEN clock_timestamp() + $4::interval END,
    asks = 0,
    settled_at = CASE WHEN judged.verdict NOT IN ('released', 'stale', 'paused') THEN $1 END
FROM judged
WHERE plan.local_day = $2 AND plan.ctid = judged.ctid
RETURNING
    judged.verdict, plan.requested_version, plan.local_day, plan.person_id, plan.kind, plan.state,
    plan.release, plan.period, plan.due_at, plan.release_at, plan.expires_at, plan.person_version, plan.years
