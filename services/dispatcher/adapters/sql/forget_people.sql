-- Forget what the contacts of the people $1, who left, were before, and what those of them who are
-- erased, $2, did not want.
WITH forgotten AS (
    DELETE FROM unsubscribes WHERE unsubscribes.person_id = ANY ($2::uuid[])
)
DELETE FROM former_contacts WHERE former_contacts.person_id = ANY ($1::uuid[])
