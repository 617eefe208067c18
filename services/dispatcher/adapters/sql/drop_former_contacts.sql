-- Forget up to $2 former contacts that were replaced more than $1 real seconds ago: no mail is
-- written from them any more. Reads former_contacts_replaced_idx.
WITH dropped AS (
    DELETE FROM former_contacts
    WHERE (former_contacts.person_id, former_contacts.version) IN (
        SELECT former.person_id, former.version
        FROM former_contacts AS former
        WHERE former.replaced_at < clock_timestamp() - make_interval(secs => $1)
        ORDER BY former.replaced_at
        LIMIT $2
    )
    RETURNING former_contacts.person_id
)
SELECT count(*)::integer AS dropped FROM dropped
