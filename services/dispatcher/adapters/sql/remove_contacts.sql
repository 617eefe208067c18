-- Remove the contacts of the people $1 while each is at its version of $2.
DELETE FROM contacts
USING unnest($1::uuid[], $2::integer[]) AS gone (person_id, version)
WHERE contacts.person_id = gone.person_id AND contacts.version = gone.version
