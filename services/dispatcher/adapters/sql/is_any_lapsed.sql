-- Tell whether any claim was left without outcome until its lease passed.
-- Reads open_claims, which holds only what is under way.
SELECT EXISTS (
    SELECT FROM open_claims AS claim WHERE claim.lease_until < clock_timestamp()
) AS is_any
