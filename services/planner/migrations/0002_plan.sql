-- Every occurrence owed, one partition per local day, made ahead by the upkeep. In a partition the
-- day is constant, so the key leads with the person: one person's rows are found without a scan.
--
-- waiting    due at release_at for the first time, or again after it was handed back
-- released   requested from the dispatcher, which has not answered yet; asked again at ask_at
-- deferred   an attempt sent nothing; due again at release_at
-- accepted   the provider took the mail
-- refused    the provider never will
-- unknown    the provider may have taken it
-- suppressed decided not to send: see reason
-- expired    past its late limit before it could be sent
-- cancelled  its date moved away while it was not released
--
-- ``release`` counts the requests. ``released_at`` and ``ask_at`` are real time, all else calendar
-- time. ``tzdata`` is the release of the zone data that ``due_at`` was computed with.
CREATE TABLE plan (
    local_day date NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    due_at timestamptz NOT NULL,
    release_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN (
        'waiting', 'released', 'deferred', 'accepted', 'refused', 'unknown', 'suppressed',
        'expired', 'cancelled'
    )),
    reason text,
    release integer NOT NULL DEFAULT 0,
    person_version integer NOT NULL,
    zone text NOT NULL,
    tzdata text NOT NULL,
    period date NOT NULL,
    years smallint,
    released_at timestamptz,
    ask_at timestamptz,
    asks smallint NOT NULL DEFAULT 0,
    settled_at timestamptz,
    message_id text,
    PRIMARY KEY (person_id, kind, local_day),
    CONSTRAINT never_early CHECK (release_at >= due_at),
    CONSTRAINT released_is_numbered CHECK (
        state <> 'released' OR (release > 0 AND released_at IS NOT NULL AND ask_at IS NOT NULL)
    ),
    CONSTRAINT no_without_reason CHECK (
        state IN ('waiting', 'released', 'accepted') OR reason IS NOT NULL
    )
) PARTITION BY RANGE (local_day);

CREATE INDEX plan_release_idx ON plan (release_at) WHERE state IN ('waiting', 'deferred');
CREATE INDEX plan_ask_idx ON plan (ask_at) WHERE state = 'released';

-- The days that are open: from the commit of a row here, projections keep the day's plan current.
-- Its people from before are planned in slices, cut at ``cut_at`` and finished at ``planned_at``.
-- A day is closed when nothing of it is pending and everything past its late limit.
CREATE TABLE days (
    local_day date PRIMARY KEY,
    opened_at timestamptz NOT NULL,
    cut_at timestamptz,
    planned_at timestamptz,
    closed_at timestamptz
);
CREATE INDEX days_open_idx ON days (local_day) WHERE closed_at IS NULL;

-- Bounded pieces of a bucket, planned one by one by whoever is free: the people after ``after`` up
-- to and including ``upto``, without bound where NULL.
CREATE TABLE slices (
    local_day date NOT NULL REFERENCES days ON DELETE CASCADE,
    bucket smallint NOT NULL,
    slice integer NOT NULL,
    after uuid,
    upto uuid,
    done_at timestamptz,
    PRIMARY KEY (local_day, bucket, slice)
);
CREATE INDEX slices_undone_idx ON slices (local_day, bucket, slice) WHERE done_at IS NULL;

-- What falls on a day. It comes from the planner's domain: PostgreSQL knows no calendar rules.
CREATE TYPE falling AS (
    local_day date,
    kind text,
    bucket smallint,
    leap_day text,
    only_origin date,
    period date,
    counted_year smallint,
    wall_time time,
    late_limit interval
);

-- What is owed: the domain's ``decide`` for many at once. ``instants`` maps "<day> <wall time>" to
-- an object that maps a zone to the Unix seconds at which its clocks show that; PostgreSQL converts
-- no zones. A look-up and not a join: no misestimate can turn it into a nested loop.
-- Inlined into the statements that use it, so that their conditions on bucket and person choose
-- partitions and indexes; OFFSET 0 has each value computed once.
CREATE FUNCTION owed(falls falling[], instants jsonb)
RETURNS TABLE (
    local_day date,
    bucket smallint,
    person_id uuid,
    kind text,
    due_at timestamptz,
    expires_at timestamptz,
    person_version integer,
    zone text,
    period date,
    years smallint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        falling.local_day,
        celebration.bucket,
        celebration.person_id,
        celebration.kind,
        instant.due_at,
        instant.due_at + falling.late_limit,
        celebration.person_version,
        celebration.zone,
        falling.period,
        (falling.counted_year - extract(year FROM celebration.origin))::smallint
    FROM (
        SELECT
            each.local_day, each.kind, each.bucket, each.leap_day, each.only_origin, each.period,
            each.counted_year, each.late_limit,
            instants -> (each.local_day || ' ' || each.wall_time) AS instants
        FROM unnest(falls) AS each
        OFFSET 0
    ) AS falling
    JOIN celebrations AS celebration
      ON celebration.bucket = falling.bucket AND celebration.kind = falling.kind
    CROSS JOIN LATERAL (
        SELECT to_timestamp((falling.instants -> celebration.zone)::float8) AS due_at
        OFFSET 0
    ) AS instant
    WHERE (falling.leap_day IS NULL OR celebration.leap_day = falling.leap_day)
      AND (falling.only_origin IS NULL OR celebration.origin = falling.only_origin)
      AND (celebration.origin IS NULL OR celebration.origin <= falling.local_day)
      AND instant.due_at >= celebration.since
$$;
