-- Let one publish or choose at a time, until the end of the transaction: numbers then become visible
-- in order.
SELECT pg_advisory_xact_lock(hashtext('dispatcher.texts'))
