-- Until when a provider asked to be left alone (Retry-After), shared by all dispatchers; real time.
CREATE TABLE provider_pauses (
    provider text PRIMARY KEY,
    until timestamptz NOT NULL
);

-- Messages nobody could deal with, waiting for a person: single items of a batch with our reason,
-- and what the broker gave up.
CREATE TABLE set_aside (
    id uuid PRIMARY KEY,
    queue text NOT NULL,
    type text NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    items integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    arrivals integer NOT NULL DEFAULT 1,
    redriven_at timestamptz
);

CREATE INDEX set_aside_waiting_idx ON set_aside (id) WHERE redriven_at IS NULL;
