-- Contacts: whom to greet where, projected from user events; the highest version wins. Deleted and
-- erased people keep only id and versions, so that an older event cannot bring them back.
CREATE TABLE contacts (
    person_id uuid PRIMARY KEY,
    version integer NOT NULL,
    schedule_version integer NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'deleted', 'erased')),
    email text,
    address text,
    first_name text,
    last_name text,
    locale text,
    opt_outs text[] NOT NULL DEFAULT '{}',
    CHECK ((state = 'active') = (email IS NOT NULL AND address IS NOT NULL))
) WITH (fillfactor = 90);

-- Addresses that get no mail. ``address`` is the normal form, as in contacts.
CREATE TABLE suppressions (
    address text PRIMARY KEY,
    reason text NOT NULL,
    since timestamptz NOT NULL
);
