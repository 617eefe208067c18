-- Whoever changes what a mail is written from leaves the former behind, in the same statement: a
-- copy made beside it could miss a change that slipped in between. Of people who leave nothing is
-- kept.
CREATE FUNCTION keep_former_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO former_contacts (
        person_id, version, email, address, first_name, last_name, locale, replaced_at
    )
    VALUES (
        old.person_id, old.version, old.email, old.address, old.first_name, old.last_name,
        old.locale, clock_timestamp()
    )
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER contacts_keep_former AFTER UPDATE ON contacts
FOR EACH ROW
WHEN (
    old.state = 'active'
    AND new.state = 'active'
    AND (old.email, old.first_name, old.last_name, old.locale)
        IS DISTINCT FROM (new.email, new.first_name, new.last_name, new.locale)
)
EXECUTE FUNCTION keep_former_contact();
