-- What operators hold back: pauses and cancellations, each of one person, one kind, or everything
-- (NULL). Instants are calendar time.

-- Nothing within an open pause is sent; it is open until it is resumed. One open pause a scope.
CREATE TABLE pauses (
    pause_id uuid PRIMARY KEY,
    person_id uuid,
    kind text,
    reason text,
    paused_at timestamptz NOT NULL,
    paused_by text NOT NULL,
    resumed_at timestamptz,
    resumed_by text,
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
);
CREATE UNIQUE INDEX pauses_open_idx ON pauses (person_id, kind) NULLS NOT DISTINCT
    WHERE resumed_at IS NULL;

-- What falls on these days within the scope is called off for good, whenever it is planned.
CREATE TABLE cancellations (
    cancellation_id uuid PRIMARY KEY,
    person_id uuid,
    kind text,
    first_day date NOT NULL,
    last_day date NOT NULL,
    reason text,
    cancelled_at timestamptz NOT NULL,
    cancelled_by text NOT NULL,
    CHECK (first_day <= last_day)
);
CREATE UNIQUE INDEX cancellations_scope_idx
    ON cancellations (person_id, last_day, first_day, kind) NULLS NOT DISTINCT;

-- They are the record of who held what: a pause can only be ended, a cancellation not even that.
REVOKE UPDATE, DELETE, TRUNCATE ON pauses, cancellations FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE ON pauses, cancellations FROM CURRENT_USER;
GRANT UPDATE (resumed_at, resumed_by) ON pauses TO CURRENT_USER;

-- Days whose rows still have to follow the end of a pause or a cancellation: done up to and
-- including the row ("after_person", "after_kind"). A day that is done goes.
CREATE TABLE hold_work (
    hold_id uuid NOT NULL,
    local_day date NOT NULL,
    after_person uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    after_kind text NOT NULL DEFAULT '',
    PRIMARY KEY (local_day, hold_id)
);

-- What keeps an occurrence back: "called_off", else "paused", else NULL. While there are no
-- cancellations and no open pauses at all it costs next to nothing. Inlined where it is used; OFFSET 0
-- has it computed once a row.
CREATE FUNCTION held(of_day date, of_person uuid, of_kind text)
RETURNS TABLE (hold text)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM cancellations) AND (
            EXISTS (
                SELECT FROM cancellations AS general
                WHERE general.person_id IS NULL
                  AND (general.kind IS NULL OR general.kind = of_kind)
                  AND of_day BETWEEN general.first_day AND general.last_day
            )
            OR EXISTS (
                SELECT FROM cancellations AS personal
                WHERE personal.person_id = of_person
                  AND (personal.kind IS NULL OR personal.kind = of_kind)
                  AND of_day BETWEEN personal.first_day AND personal.last_day
            )
        ) THEN 'called_off'
        WHEN EXISTS (SELECT FROM pauses WHERE resumed_at IS NULL) AND (
            EXISTS (
                SELECT FROM pauses AS general
                WHERE general.resumed_at IS NULL
                  AND general.person_id IS NULL
                  AND (general.kind IS NULL OR general.kind = of_kind)
            )
            OR EXISTS (
                SELECT FROM pauses AS personal
                WHERE personal.resumed_at IS NULL
                  AND personal.person_id = of_person
                  AND (personal.kind IS NULL OR personal.kind = of_kind)
            )
        ) THEN 'paused'
    END
    OFFSET 0
$$;

-- The rows a pause has put off: bringing them back visits nothing else. Empty without pauses.
CREATE INDEX plan_paused_idx ON plan (person_id, kind)
    WHERE state = 'waiting' AND reason = 'paused';
