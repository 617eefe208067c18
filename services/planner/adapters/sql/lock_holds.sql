-- Hold off whoever judges by pauses and cancellations while one is set or ended, until this
-- transaction ends: whoever judged before is done when it goes on, whoever judges after sees it.
SELECT pg_advisory_xact_lock(hashtext('planner.holds'))
