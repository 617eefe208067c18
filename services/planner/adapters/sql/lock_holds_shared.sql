-- Keep pauses and cancellations as they are until this transaction ends. Take it in a statement of
-- its own, and before any row: only a later statement sees what was set while we waited.
SELECT pg_advisory_xact_lock_shared(hashtext('planner.holds'))
