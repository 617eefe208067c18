-- The events of every person: append-only by grant. `data` is the state after the event, sealed
-- with the person's own key; `metadata` holds nothing personal.
CREATE TABLE events (
    position bigint GENERATED ALWAYS AS IDENTITY,
    stream_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    type text NOT NULL,
    data bytea NOT NULL,
    metadata jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (stream_id, version)
);
CREATE UNIQUE INDEX events_position_idx ON events (position);

REVOKE UPDATE, DELETE, TRUNCATE ON events FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON events FROM CURRENT_USER;

-- The present state of every person, written in one statement with its event. The searched fields
-- stand beside the state; an erased person keeps nothing but the id and the versions.
CREATE TABLE people (
    person_id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    schedule_version integer NOT NULL CHECK (schedule_version BETWEEN 1 AND version),
    status text NOT NULL CHECK (status IN ('active', 'deleted', 'erased')),
    state jsonb,
    email_key text COLLATE "C",
    external_id text COLLATE "C",
    name_key text COLLATE "C",
    family_name_key text COLLATE "C",
    birthday_month_day smallint CHECK (birthday_month_day BETWEEN 101 AND 1231),
    timezone text COLLATE "C",
    CHECK ((status = 'erased') = (state IS NULL)),
    CHECK ((status = 'erased') = (email_key IS NULL)),
    CHECK (status <> 'erased' OR num_nonnulls(
        external_id, name_key, family_name_key, birthday_month_day, timezone) = 0)
);
CREATE UNIQUE INDEX people_email_idx ON people (email_key) WHERE status = 'active';
CREATE UNIQUE INDEX people_external_id_idx ON people (external_id)
    WHERE status = 'active' AND external_id IS NOT NULL;
-- Byte order (COLLATE "C") lets the first two serve prefixes. They hold deleted people too: while
-- statistics are young, the planner would take an index on the active ones for a short list of them.
CREATE INDEX people_name_idx ON people (name_key);
CREATE INDEX people_family_name_idx ON people (family_name_key);
CREATE INDEX people_birthday_idx ON people (birthday_month_day, person_id)
    WHERE birthday_month_day IS NOT NULL;
CREATE INDEX people_timezone_idx ON people (timezone, person_id);

-- One data key per person, wrapped by the master key. Without it the events are noise.
CREATE TABLE person_keys (
    person_id uuid PRIMARY KEY,
    wrapped_key bytea NOT NULL
);

-- Which write a client's Idempotency-Key stands for: the answer is made again from that version of
-- the person, so no personal data are kept here. Erasure forgets the request's hash.
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    request_hash bytea,
    person_id uuid NOT NULL,
    version integer NOT NULL,
    replays integer NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_person_idx ON idempotency_keys (person_id);
CREATE INDEX idempotency_keys_recorded_idx ON idempotency_keys (recorded_at);
