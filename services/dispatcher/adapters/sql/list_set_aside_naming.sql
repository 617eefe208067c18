-- Hold the user events set aside whose bodies hold any of the texts $1, and return them.
-- Reads the whole table, which is empty as long as nothing is wrong.
SELECT aside.id, aside.body
FROM set_aside AS aside
WHERE aside.type LIKE 'user.%'
  AND EXISTS (SELECT FROM unnest($1::bytea[]) AS named (text) WHERE position(text IN aside.body) > 0)
ORDER BY aside.id
FOR UPDATE
