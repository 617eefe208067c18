-- Forget the request under way that caller $1 named $2: nothing came of it, it may come again.
DELETE FROM remembered_answers
WHERE caller = $1 AND key = $2 AND status IS NULL
