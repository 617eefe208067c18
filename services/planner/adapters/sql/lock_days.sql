-- Hold off projections and outcomes while days are opened or closed, until this transaction ends.
SELECT pg_advisory_xact_lock(hashtext('planner.days'))
