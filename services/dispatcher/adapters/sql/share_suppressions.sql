-- Let nobody change suppressions until the end of the transaction, beside others who do the same:
-- what is looked up in them stays true for the contacts written with it.
SELECT pg_advisory_xact_lock_shared(hashtext('dispatcher.suppressions'))
