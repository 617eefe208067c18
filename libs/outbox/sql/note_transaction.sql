-- Draw a transaction id: later than that of any transaction that has one now.
SELECT pg_current_xact_id()::text::bigint AS noted
