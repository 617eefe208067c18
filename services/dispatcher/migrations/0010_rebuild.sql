-- A rebuild of what is projected from another service's events: what it is at, up to and including
-- which position or key it is done, and how many events it has looked at.
CREATE TABLE rebuild (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    phase text NOT NULL CHECK (phase IN (
        'reading', 'doubting', 'catching_up', 'writing', 'removing', 'sweeping', 'done'
    )),
    after text,
    events bigint NOT NULL DEFAULT 0
);

-- The streams a rebuild knows of: the highest version read, 0 for none yet, and the version held
-- here where that could not be explained by what had been read.
CREATE TABLE rebuild_streams (
    stream_id uuid PRIMARY KEY,
    version integer NOT NULL,
    held integer
);
CREATE INDEX rebuild_streams_strangers_idx ON rebuild_streams (stream_id) WHERE version = 0;
