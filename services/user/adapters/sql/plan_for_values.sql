-- Plan the rest of this transaction's statements for the values they are given: how many people a
-- name's beginning finds differs too much for one plan.
SET LOCAL plan_cache_mode = force_custom_plan
