-- Whose celebrations of bucket $1, after person $2 up to $3 (NULL is no bound), are in none of the
-- zones $4: nobody can tell when they are due. At most $5. Reads the bucket's primary key.
SELECT person_id, kind, zone
FROM celebrations
WHERE bucket = $1
  AND ($2::uuid IS NULL OR person_id > $2)
  AND ($3::uuid IS NULL OR person_id <= $3)
  AND zone <> ALL ($4::text[])
ORDER BY person_id, kind
LIMIT $5
