-- Who does not want a kind any more, by the link in a mail of it. Joined in the claim.
CREATE TABLE unsubscribes (
    person_id uuid NOT NULL,
    kind text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (person_id, kind)
);

-- All that keeps mail from a person, as last told to the world: the row stays when nothing does any
-- more, so that the revision only grows.
CREATE TABLE blocks (
    person_id uuid PRIMARY KEY,
    revision integer NOT NULL CHECK (revision > 0),
    blocks jsonb NOT NULL
);

-- Texts that operators published. A version is one text of one kind in one language, for ever.
CREATE TABLE templates (
    version integer PRIMARY KEY CHECK (version > 0),
    kind text NOT NULL,
    locale text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    html text NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text NOT NULL
);

-- Which text of a kind and language held from when on; of each the last choice holds. NULL is what
-- ships with the kind. No foreign key: its check would need the right to change texts that nobody
-- has. Positions are drawn under a lock, so that they become visible in order: all
-- texts as of a position never change.
CREATE TABLE template_choices (
    position integer PRIMARY KEY CHECK (position > 0),
    kind text NOT NULL,
    locale text NOT NULL,
    version integer,
    chosen_at timestamptz NOT NULL,
    chosen_by text NOT NULL
);

REVOKE UPDATE, DELETE, TRUNCATE ON templates, template_choices FROM CURRENT_USER;

-- What a contact was when a claim was made from it, for as long as that mail may have to be written
-- once more with the same bytes: ``version`` is the last one of which this was true. Goes with the
-- person.
CREATE TABLE former_contacts (
    person_id uuid NOT NULL,
    version integer NOT NULL,
    email text NOT NULL,
    address text NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    locale text NOT NULL,
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, version)
);

CREATE INDEX former_contacts_replaced_idx ON former_contacts (replaced_at);

-- On claims: the texts as of which the mail is written, and the years it names. On outcomes: the
-- version of the text that was sent, 0 for the one that ships with the kind.
ALTER TABLE delivery_events
    ADD COLUMN texts_as_of integer,
    ADD COLUMN years integer,
    ADD COLUMN template_version integer;
