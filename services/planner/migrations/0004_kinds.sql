-- Which kinds are filed for everyone. One that is new here is filed person by person, in batches:
-- people up to ``upto`` have been looked at, all of them at ``filed_at``.
CREATE TABLE kinds (
    kind text PRIMARY KEY,
    upto uuid,
    filed_at timestamptz
);
