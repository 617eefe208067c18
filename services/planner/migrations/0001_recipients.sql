-- Whom to plan for, projected from user events; the highest version wins. No name, no address.
-- Erased people keep only id and versions, so that an older event cannot bring them back.
-- The three objects map a date field to YYYY-MM-DD or --MM-DD, a date field to when it was last
-- set, and a kind to when it was last opted into.
CREATE TABLE recipients (
    person_id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version > 0),
    schedule_version integer NOT NULL CHECK (schedule_version BETWEEN 1 AND version),
    is_active boolean NOT NULL,
    zone text NOT NULL,
    leap_day text NOT NULL CHECK (leap_day IN ('feb28', 'mar1')),
    active_since timestamptz NOT NULL,
    dates jsonb NOT NULL,
    dates_since jsonb NOT NULL,
    opt_outs text[] NOT NULL,
    opted_in_since jsonb NOT NULL
) WITH (fillfactor = 90);

-- What of whom is celebrated when, by the recurrence's bucket: planning a day reads one bucket of
-- each cadence. ``origin`` is the date counted from, NULL where its year is unknown; nothing is
-- owed for an instant before ``since``; ``person_version`` is the schedule version it is made from.
CREATE TABLE celebrations (
    bucket smallint NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    zone text NOT NULL,
    leap_day text NOT NULL,
    origin date,
    since timestamptz NOT NULL,
    person_version integer NOT NULL,
    PRIMARY KEY (bucket, person_id, kind)
) PARTITION BY LIST (bucket);

-- One partition per month and day of the yearly cadence (101 to 1231), one for all other cadences.
DO $$
DECLARE
    day date;
BEGIN
    FOR day IN SELECT generate_series('2024-01-01'::date, '2024-12-31', '1 day') LOOP
        EXECUTE format(
            'CREATE TABLE celebrations_%s PARTITION OF celebrations FOR VALUES IN (%s)',
            to_char(day, 'MMDD'),
            extract(month FROM day) * 100 + extract(day FROM day)
        );
    END LOOP;
END
$$;
CREATE TABLE celebrations_other PARTITION OF celebrations DEFAULT;
