-- Hold off whoever computes or judges instants while a release of the zone data is adopted, until
-- this transaction ends.
SELECT pg_advisory_xact_lock(hashtext('planner.zone_data'))
