-- Lock the people whose address is one of $1, in order, and return them; claims do not wait for that.
-- Reads contacts_address_idx.
SELECT person.person_id
FROM contacts AS person
WHERE person.address = ANY ($1::text[])
ORDER BY person.person_id
FOR NO KEY UPDATE
