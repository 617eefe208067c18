-- Return the transactions that have written to the table $1, or are about to: they hold its lock
-- from before a statement draws its first position until they have ended and can be seen.
-- Transactions that touch other tables only are not among them, however long they last.
SELECT coalesce(array_agg(DISTINCT pg_locks.virtualtransaction), '{}') AS writers
FROM pg_locks
WHERE pg_locks.locktype = 'relation'
  AND pg_locks.database = (
    SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database()
  )
  AND pg_locks.relation = to_regclass($1::text)
  AND pg_locks.mode = 'RowExclusiveLock'
  AND pg_locks.granted
