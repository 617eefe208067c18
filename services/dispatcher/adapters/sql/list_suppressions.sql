-- List up to $2 suppressed addresses after $1, in order. Reads suppressions_pkey.
SELECT suppressed.address, suppressed.reason, suppressed.since
FROM suppressions AS suppressed
WHERE suppressed.address > $1
ORDER BY suppressed.address
LIMIT $2
