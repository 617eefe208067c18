-- What operators hold back, as the planner tells: of one person, one kind, or everything (NULL).
-- Instants are calendar time.

-- Nothing within an open pause is claimed. One that has ended stays, so that news of its beginning
-- that come later cannot bring it back.
CREATE TABLE pauses (
    pause_id uuid PRIMARY KEY,
    person_id uuid,
    kind text,
    paused_at timestamptz,
    resumed_at timestamptz,
    CHECK (paused_at IS NOT NULL OR resumed_at IS NOT NULL)
);
CREATE INDEX pauses_open_idx ON pauses (person_id, kind) WHERE resumed_at IS NULL;

-- What falls on these days within the scope is never claimed.
CREATE TABLE cancellations (
    cancellation_id uuid PRIMARY KEY,
    person_id uuid,
    kind text,
    first_day date NOT NULL,
    last_day date NOT NULL,
    cancelled_at timestamptz NOT NULL,
    CHECK (first_day <= last_day)
);
CREATE INDEX cancellations_scope_idx ON cancellations (person_id, last_day, first_day, kind);

REVOKE UPDATE, DELETE, TRUNCATE ON cancellations FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON cancellations FROM CURRENT_USER;
