-- Take one of the kinds $1 that is not filed for everyone, with how far it is. Another planner's is
-- skipped.
SELECT kind, upto
FROM kinds
WHERE filed_at IS NULL AND kind = ANY ($1::text[])
ORDER BY kind
LIMIT 1
FOR UPDATE SKIP LOCKED
