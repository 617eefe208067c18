-- Until this transaction ends, read tables by their indexes, in the index's order, row by row.
-- A batch is small and its tables may be of any size. Fresh partitions have no statistics, and a
-- guess that hashes or sorts a whole partition would cost more the longer the day's plan is.
SELECT
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true),
    set_config('enable_sort', 'off', true)
