-- Return when this server was started: no two servers, and no two lives of one, have it in common.
SELECT pg_postmaster_start_time() AS started_at
