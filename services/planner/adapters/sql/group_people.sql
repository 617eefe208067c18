-- Group everybody so that one decision on kind $1, for any day of a range, holds for all of a group.
-- $2 the date field, $3 how many characters at a date's end matter once it has begun, $4 the range's
-- first day, $5 an instant before which nothing of it is due anywhere, $6 the first day of its first
-- period: earlier plan rows are none of its business.
-- What cannot matter is left out: the zone of who has no date, an instant of registration before
-- $5, the preference for 29 February of all others, a date's year once it has begun.
-- Pauses and cancellations of everyone are not told here. Two of a group stand as examples.
-- Reads recipients, blocks, holds and the plan from $6 on whole; groups that do not fit into
-- work_mem go to disk.
WITH planned AS (
    SELECT
        person_id,
        jsonb_agg(jsonb_build_array(local_day, period, state, reason) ORDER BY local_day) AS rows
    FROM plan
    WHERE kind = $1 AND local_day >= $6
    GROUP BY person_id
),
paused AS (
    SELECT DISTINCT person_id
    FROM pauses
    WHERE resumed_at IS NULL AND person_id IS NOT NULL AND (kind IS NULL OR kind = $1)
),
called_off AS (
    SELECT person_id, jsonb_agg(jsonb_build_array(first_day, last_day) ORDER BY first_day, last_day)
        AS days
    FROM cancellations
    WHERE person_id IS NOT NULL AND (kind IS NULL OR kind = $1) AND last_day >= $4
    GROUP BY person_id
),
told AS (
    SELECT
        recipient.person_id, recipient.is_active, recipient.is_erased, recipient.zone,
        recipient.leap_day, recipient.zones_left, planned.rows, called_off.days AS called_off,
        paused.person_id IS NOT NULL AS is_paused,
        $1 = ANY (recipient.opt_outs) AS is_opted_out,
        (recipient.dates ->> $2) COLLATE "C" AS date,
        greatest(
            recipient.active_since,
            (recipient.dates_since ->> $2)::timestamptz,
            (recipient.opted_in_since ->> $1)::timestamptz
        ) AS since,
        coalesce(block.blocks ->> $1, block.blocks ->> '*') AS block
    FROM recipients AS recipient
    LEFT JOIN blocks AS block ON block.person_id = recipient.person_id
    LEFT JOIN planned ON planned.person_id = recipient.person_id
    LEFT JOIN paused ON paused.person_id = recipient.person_id
    LEFT JOIN called_off ON called_off.person_id = recipient.person_id
),
cut AS (
    SELECT
        told.person_id, told.is_active, told.is_erased, told.is_opted_out, told.date,
        CASE WHEN dated.yes THEN told.zone END AS zone,
        CASE WHEN dated.yes AND ($3 = 10 OR right(told.date, 5) = '02-29') THEN told.leap_day END
            AS leap_day,
        CASE WHEN dated.yes AND told.since > $5 THEN told.since END AS since,
        CASE WHEN dated.yes AND told.since > $5 THEN told.zones_left END AS zones_left,
        CASE WHEN dated.yes THEN told.block END AS block,
        CASE WHEN dated.yes THEN told.rows END AS rows,
        CASE WHEN dated.yes THEN told.called_off END AS called_off,
        dated.yes AND told.is_paused AS is_paused,
        CASE
            WHEN NOT dated.yes THEN (told.date IS NOT NULL)::text
            WHEN told.date > $4::date::text COLLATE "C" THEN told.date
            ELSE right(told.date, $3)
        END AS telling
    FROM told
    CROSS JOIN LATERAL (
        SELECT told.is_active AND NOT told.is_opted_out AND told.date IS NOT NULL AS yes
    ) AS dated
)
SELECT
    count(*) AS people,
    min(person_id::text) AS first_example,
    max(person_id::text) AS last_example,
    min(date) AS date,
    is_active, is_erased, is_opted_out, zone, leap_day, since, zones_left, block, rows,
    called_off, is_paused
FROM cut
GROUP BY
    is_active, is_erased, is_opted_out, zone, leap_day, since, zones_left, block, rows, called_off,
    is_paused, telling
