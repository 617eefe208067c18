-- Return whether this server replays another one's log, which cluster, database and timeline it is
-- of, and how far it has come in the log. On a primary everything acknowledged before this question lies before
-- the position: what is acknowledged has been flushed, or, without synchronous_commit, inserted.
-- On a replica everything before the position can be seen. Its timeline is that of its last
-- restart point, so for some minutes after a failover an old one.
SELECT
    pg_is_in_recovery() AS is_replica,
    system.system_identifier AS cluster,
    current_database()::text AS database,
    CASE
        WHEN pg_is_in_recovery() THEN checkpoint.timeline_id
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer
    END AS timeline,
    (CASE
        WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
        WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn()
        ELSE pg_current_wal_flush_lsn()
    END - '0/0'::pg_lsn)::bigint AS position
FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint
