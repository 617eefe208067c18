-- Return, for each of the arrays $1 e-mail keys and $2 external ids, the state of the living person
-- who bears the address and of the one who bears the external id, in the order given.
-- Reads people_email_idx and people_external_id_idx; subqueries, since a join would read the whole
-- table while its statistics are young.
SELECT
    (
        SELECT people.state::text FROM people
        WHERE people.email_key = wanted.email_key AND people.status = 'active'
    ) AS by_email,
    (
        SELECT people.state::text FROM people
        WHERE people.external_id = wanted.external_id AND people.status = 'active'
    ) AS by_external_id
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (email_key, external_id, place)
ORDER BY wanted.place
