-- Messages waiting for the relay: append-only, no UPDATE, no DELETE, so no dead rows.
-- A row holds one to 500 events of one type: their JSON joined by commas, without brackets.
-- Partitions of a million positions are created ahead and dropped once published.
CREATE SEQUENCE outbox_position AS bigint;

CREATE TABLE outbox (
    position bigint NOT NULL DEFAULT nextval('outbox_position'),
    exchange text NOT NULL,
    routing_key text NOT NULL,
    items integer NOT NULL CHECK (items BETWEEN 1 AND 500),
    body bytea NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    -- The server's own clock: the age of a waiting row is real time, whatever the calendar shows.
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);

CREATE TABLE outbox_000000 PARTITION OF outbox FOR VALUES FROM (0) TO (1000000);
CREATE TABLE outbox_000001 PARTITION OF outbox FOR VALUES FROM (1000000) TO (2000000);
CREATE TABLE outbox_000002 PARTITION OF outbox FOR VALUES FROM (2000000) TO (3000000);

-- The relay's cursor: the set of published positions. Held FOR UPDATE while a batch is under way.
CREATE TABLE outbox_cursor (
    id smallint PRIMARY KEY CHECK (id = 1),
    done int8multirange NOT NULL
);
INSERT INTO outbox_cursor (id, done) VALUES (1, '{}');
