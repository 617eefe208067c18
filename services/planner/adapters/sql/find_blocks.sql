-- What keeps the dispatcher from mailing person $1, as it told last. Reads the primary key.
SELECT blocks
FROM blocks
WHERE person_id = $1
