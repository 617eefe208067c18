-- Zones a person has left lately, by when; beside a celebration those lived in since ``since``.
ALTER TABLE recipients ADD COLUMN zones_left jsonb NOT NULL DEFAULT '{}';
ALTER TABLE celebrations ADD COLUMN zones_left text[];

-- The releases of the zone data that the plan was made with, the last one counting. A planner with
-- another one may neither plan nor release. While ``replanned_at`` is NULL what it moves is still
-- being planned anew, and nothing is released. ``moved`` rows went to another instant.
CREATE TABLE zone_data (
    turn integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release text NOT NULL,
    adopted_at timestamptz NOT NULL,
    replanned_at timestamptz,
    moved integer NOT NULL DEFAULT 0
);

-- What an older planner left pending tells its release; where that is not one, none counts.
INSERT INTO zone_data (release, adopted_at, replanned_at)
SELECT
    CASE count(DISTINCT plan.tzdata) WHEN 1 THEN min(plan.tzdata) ELSE 'several' END,
    max(days.opened_at),
    max(days.opened_at)
FROM plan
JOIN days ON days.local_day = plan.local_day
WHERE plan.state IN ('waiting', 'deferred', 'released')
HAVING count(*) > 0;

-- As before, and: what was due in a zone left since ``since`` and not before that is owed wherever
-- the person has moved to. Zones that the look-up does not name tell nothing.
CREATE OR REPLACE FUNCTION owed(falls falling[], instants jsonb)
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
      AND (
          instant.due_at >= celebration.since
          OR celebration.zones_left IS NOT NULL AND instant.due_at IS NOT NULL AND EXISTS (
              SELECT FROM unnest(celebration.zones_left) AS zone_left
              WHERE to_timestamp((falling.instants -> zone_left)::float8) >= celebration.since
          )
      )
$$;
