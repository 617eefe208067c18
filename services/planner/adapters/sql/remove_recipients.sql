-- Remove the people $1 while each is at its version of $2. What is planned for them ends at its
-- release: nobody is there any more.
DELETE FROM recipients
USING unnest($1::uuid[], $2::int[]) AS gone (person_id, version)
WHERE recipients.person_id = gone.person_id AND recipients.version = gone.version
