-- Return, for each of the arrays $1 e-mail keys and $2 external ids, the state of the living person
-- who bears the address and of the one who bears the external id, in the order given.
-- Reads people_email_idx and people_external_id_idx.
SELECT
    by_email.state::text AS by_email,
    by_external_id.state::text AS by_external_id
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (email_key, external_id, place)
LEFT JOIN people AS by_email
    ON by_email.email_key = wanted.email_key AND by_email.status = 'active'
LEFT JOIN people AS by_external_id
    ON by_external_id.external_id = wanted.external_id AND by_external_id.status = 'active'
ORDER BY wanted.place
