-- What only answers to questions need. Nothing is planned or sent by it.

-- Of the people who are not active those of whom nothing is left but the id: no one can restore them.
ALTER TABLE recipients ADD COLUMN is_erased boolean NOT NULL DEFAULT FALSE;

-- What keeps the dispatcher from mailing whom, as it told last; the highest revision wins. ``blocks``
-- maps a kind, or * for every kind, to the reason word, and is empty where nothing does any more.
CREATE TABLE blocks (
    person_id uuid PRIMARY KEY,
    revision integer NOT NULL CHECK (revision > 0),
    blocks jsonb NOT NULL
);
