-- Forget up to $2 answers begun longer than $1 seconds ago, oldest first. Rows another copy is
-- deleting are skipped. Reads remembered_answers_begun_idx.
WITH old AS (
    SELECT caller, key
    FROM remembered_answers
    WHERE begun_at < clock_timestamp() - make_interval(secs => $1)
    ORDER BY begun_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM remembered_answers
USING old
WHERE remembered_answers.caller = old.caller AND remembered_answers.key = old.key
