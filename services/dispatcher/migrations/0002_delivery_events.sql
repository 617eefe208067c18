-- What happened to every attempt, append-only. Step 0 is the claim, 1 the outcome, 2 the settlement
-- of an unknown outcome; the primary key refuses a second claim, outcome or settlement.
CREATE TABLE delivery_events (
    local_day date NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    release integer NOT NULL CHECK (release > 0),
    step smallint NOT NULL CHECK (step BETWEEN 0 AND 2),
    type text NOT NULL,
    reason text,
    period date,
    due_at timestamptz,
    expires_at timestamptz,
    recorded_at timestamptz NOT NULL,
    lease_until timestamptz,
    provider text,
    message_id text,
    retry_at timestamptz,
    person_version integer,
    answer integer,
    PRIMARY KEY (local_day, person_id, kind, release, step),
    CHECK (CASE step
        WHEN 0 THEN type = 'attempted'
            AND period IS NOT NULL AND due_at IS NOT NULL AND expires_at IS NOT NULL
        WHEN 1 THEN type IN ('accepted', 'refused', 'deferred', 'unknown', 'suppressed')
        ELSE type IN ('accepted', 'refused', 'deferred')
    END),
    CHECK (type IN ('attempted', 'accepted') OR reason IS NOT NULL),
    CHECK (type <> 'deferred' OR retry_at IS NOT NULL)
) PARTITION BY RANGE (local_day);

CREATE INDEX delivery_events_unknown_idx ON delivery_events (recorded_at)
    WHERE step = 1 AND type = 'unknown';

REVOKE UPDATE, DELETE, TRUNCATE ON delivery_events FROM CURRENT_USER;

-- Claims whose outcomes are not recorded yet, one row a batch: written with the claim, deleted with
-- the outcomes. What a dead process leaves here is found once its lease has passed.
CREATE TABLE open_claims (
    claim_id uuid PRIMARY KEY,
    lease_until timestamptz NOT NULL,
    local_days date[] NOT NULL,
    person_ids uuid[] NOT NULL
) WITH (autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- One mail per person, kind and period, whatever moved: the row is held by the occurrence and
-- release that is in flight, accepted or unknown, and free (holder_day NULL) once it certainly sent
-- nothing.
CREATE TABLE greeted (
    period date NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    holder_day date,
    holder_release integer,
    PRIMARY KEY (period, person_id, kind),
    CHECK ((holder_day IS NULL) = (holder_release IS NULL))
) PARTITION BY RANGE (period);
