-- What was answered to writes that came with an Idempotency-Key, for as long as clients repeat them.
-- ``status`` is NULL while the first request is under way. Answers of writes only, and for a day:
-- they may name an address.
CREATE TABLE remembered_answers (
    caller text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status smallint,
    headers jsonb,
    body bytea,
    replays integer NOT NULL DEFAULT 0,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (caller, key),
    CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX remembered_answers_begun_idx ON remembered_answers (begun_at);
