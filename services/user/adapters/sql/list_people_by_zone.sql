-- Return up to $2 living people after id $1, in the order of their ids:
-- living in the zone $8.
-- Parameters: $3 e-mail key, $4 external id, $5 and $6 bounds of the name prefix, $7 birthday (month
-- * 100 + day), $8 zone; a NULL does not filter. The id never changes, so pages neither skip nor
-- repeat a person while data change. Reads people_timezone_idx.
-- Both bounds of the zone say "equal", in a way that only that index answers in order: whatever the
-- statistics are, the primary key is not walked instead.
SELECT people.state::text AS state
FROM people
WHERE people.status = 'active'
  AND (people.timezone, people.person_id) > ($8::text, $1::uuid)
  AND ($3::text IS NULL OR people.email_key = $3::text)
  AND ($4::text IS NULL OR people.external_id = $4::text)
  AND (
    $5::text IS NULL
    OR people.name_key >= $5::text AND people.name_key < $6::text
    OR people.family_name_key >= $5::text AND people.family_name_key < $6::text
  )
  AND ($7::smallint IS NULL OR people.birthday_month_day = $7::smallint)
  AND people.timezone <= $8::text
ORDER BY people.timezone, people.person_id
LIMIT $2
