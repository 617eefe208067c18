-- Keep days from being opened or closed, and pauses and cancellations as they are, until this
-- transaction ends. Take it in a statement of its own, and before any row: only a later statement
-- sees a day that was opened while we waited.
SELECT
    pg_advisory_xact_lock_shared(hashtext('planner.days')),
    pg_advisory_xact_lock_shared(hashtext('planner.holds'))
