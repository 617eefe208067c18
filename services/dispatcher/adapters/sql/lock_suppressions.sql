-- Change suppressions alone until the end of the transaction, after every projection under way: the
-- contacts of an address are then all to be seen.
SELECT pg_advisory_xact_lock(hashtext('dispatcher.suppressions'))
