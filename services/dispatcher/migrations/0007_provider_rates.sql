-- How much of each provider's rate is taken, shared by all dispatchers; real time. ``full_at`` is when
-- the bucket of permits is full again: every permit taken moves it on by one interval (GCRA).
-- ``asked_at`` and ``granted`` are of the last taking.
CREATE TABLE provider_rates (
    provider text PRIMARY KEY,
    full_at timestamptz NOT NULL,
    asked_at timestamptz NOT NULL,
    granted integer NOT NULL
) WITH (fillfactor = 50);
