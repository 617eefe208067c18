-- Keep the release of the zone data that counts until this transaction ends. Take it in a statement
-- of its own: only a later statement sees a release that was adopted while we waited.
SELECT pg_advisory_xact_lock_shared(hashtext('planner.zone_data'))
