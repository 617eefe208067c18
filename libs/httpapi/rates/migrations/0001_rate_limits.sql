-- How much of their allowance callers have spent, shared by all processes of this service: one row
-- per caller that was here lately. Unlogged: after a crash everybody begins with a full allowance.
-- ``caller`` is a hash. ``spent_until`` is when the allowance is whole again (the theoretical
-- arrival time of GCRA), in Unix seconds by this server's own clock; ``granted`` is what the last
-- request for a slice was given, ``asked_at`` when it came.
CREATE UNLOGGED TABLE rate_limits (
    caller bytea PRIMARY KEY,
    spent_until double precision NOT NULL,
    granted integer NOT NULL,
    asked_at double precision NOT NULL
) WITH (fillfactor = 50);
