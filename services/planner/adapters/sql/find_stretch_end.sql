-- The person at whom $3 celebrations of bucket $1 after person $2 (NULL: from the first on) end;
-- nothing where there are fewer. Reads the bucket's primary key.
SELECT person_id
FROM celebrations
WHERE bucket = $1 AND ($2::uuid IS NULL OR person_id > $2)
ORDER BY person_id
OFFSET $3 - 1
LIMIT 1
