-- Claim first requests of which every one can be sent, or none of them.
-- $1 now (calendar), $2 the claim's id, $3 the lease in seconds (real time), $4 the provider, $5 the
-- texts as of which is written. One item per request: $6 persons, $7 person versions, $8 the years
-- each mail names, $9 the place of its case. One item per case, which many requests share: $10 local
-- days, $11 kinds, $12 periods, $13 due, $14 expiry instants. All are of release 1, no (day, person,
-- kind) twice.
--
-- This is claim_requests.sql for batches against which nothing speaks, for half of its cost: it looks
-- neither for earlier attempts nor for a holder of the period, but has the primary keys find them.
-- Returns fewer rows than requests, and has written nothing, where any is not to be sent. Raises a
-- unique violation where any attempt or period is there already; beside a copy of itself it waits
-- for that commit first. Events are inserted before "greeted", both in the order of their keys, so
-- copies cannot wait for each other in a circle.
-- Look-ups into tables that are empty are not made at all. They are scalar, lest the planner read
-- such a table as a whole into a hash.
-- Reads contacts_pkey; and suppressions_pkey, unsubscribes_pkey, pauses_open_idx and
-- cancellations_scope_idx where there are any such at all.
WITH facts AS MATERIALIZED (
    SELECT
        clock_timestamp() + make_interval(secs => $3) AS lease_until,
        $1 >= ALL ($13::timestamptz[]) AND $1 <= ALL ($14::timestamptz[]) AS is_time,
        EXISTS (SELECT FROM suppressions) AS has_suppressions,
        EXISTS (SELECT FROM unsubscribes) AS has_unsubscribes,
        EXISTS (SELECT FROM pauses WHERE pauses.resumed_at IS NULL) AS has_pauses,
        EXISTS (SELECT FROM cancellations) AS has_cancellations
),
asked AS (
    SELECT
        request.person_id, request.person_version, request.years, request.place,
        ($10::date[])[request.case_place] AS local_day,
        ($11::text[])[request.case_place] AS kind,
        ($12::date[])[request.case_place] AS period,
        ($13::timestamptz[])[request.case_place] AS due_at,
        ($14::timestamptz[])[request.case_place] AS expires_at
    FROM unnest($6::uuid[], $7::integer[], $8::integer[], $9::integer[]) WITH ORDINALITY
        AS request (person_id, person_version, years, case_place, place)
),
ours AS MATERIALIZED (
    SELECT
        asked.local_day, asked.person_id, asked.kind, asked.period, asked.due_at,
        asked.expires_at, asked.years, asked.place, contact.version, contact.email,
        contact.first_name, contact.last_name, contact.locale
    FROM facts
    CROSS JOIN asked
    CROSS JOIN LATERAL (
        SELECT
            person.version, person.schedule_version, person.state, person.email, person.address,
            person.first_name, person.last_name, person.locale, person.opt_outs
        FROM contacts AS person
        WHERE person.person_id = asked.person_id
        LIMIT 1
    ) AS contact
    WHERE facts.is_time
      AND contact.version >= asked.person_version
      AND contact.state = 'active'
      AND contact.schedule_version <= asked.person_version
      AND asked.kind <> ALL (contact.opt_outs)
      AND (NOT facts.has_unsubscribes OR (
          SELECT TRUE
          FROM unsubscribes AS unwanted
          WHERE unwanted.person_id = asked.person_id AND unwanted.kind = asked.kind
      ) IS NULL)
      AND (NOT facts.has_suppressions OR (
          SELECT TRUE
          FROM suppressions AS suppressed
          WHERE suppressed.address = contact.address
      ) IS NULL)
      AND (NOT facts.has_cancellations OR (
          SELECT TRUE
          FROM cancellations AS personal
          WHERE personal.person_id = asked.person_id
            AND (personal.kind IS NULL OR personal.kind = asked.kind)
            AND asked.local_day BETWEEN personal.first_day AND personal.last_day
          UNION ALL
          SELECT TRUE
          FROM cancellations AS general
          WHERE general.person_id IS NULL
            AND (general.kind IS NULL OR general.kind = asked.kind)
            AND asked.local_day BETWEEN general.first_day AND general.last_day
          LIMIT 1
      ) IS NULL)
      AND (NOT facts.has_pauses OR (
          SELECT TRUE
          FROM pauses AS personal
          WHERE personal.resumed_at IS NULL
            AND personal.person_id = asked.person_id
            AND (personal.kind IS NULL OR personal.kind = asked.kind)
          UNION ALL
          SELECT TRUE
          FROM pauses AS general
          WHERE general.resumed_at IS NULL
            AND general.person_id IS NULL
            AND (general.kind IS NULL OR general.kind = asked.kind)
          LIMIT 1
      ) IS NULL)
),
won AS (
    INSERT INTO delivery_events (
        local_day, person_id, kind, release, step, type, period, due_at, expires_at,
        recorded_at, lease_until, provider, person_version, years, texts_as_of
    )
    SELECT
        ours.local_day, ours.person_id, ours.kind, 1, 0, 'attempted', ours.period, ours.due_at,
        ours.expires_at, $1, facts.lease_until, $4, ours.version, ours.years, $5
    FROM ours
    CROSS JOIN facts
    WHERE (SELECT count(*) FROM ours) = cardinality($6::uuid[])
    ORDER BY ours.local_day, ours.person_id, ours.kind
    RETURNING 1
),
taken AS (
    INSERT INTO greeted (period, person_id, kind, holder_day, holder_release)
    SELECT ours.period, ours.person_id, ours.kind, ours.local_day, 1
    FROM ours
    -- Nothing runs in the order of its writing unless one reads the other.
    WHERE (SELECT count(*) FROM won) = cardinality($6::uuid[])
    ORDER BY ours.period, ours.person_id, ours.kind
    RETURNING 1
),
opened AS (
    INSERT INTO open_claims (claim_id, lease_until, local_days, person_ids)
    SELECT $2, facts.lease_until, $10::date[], $6::uuid[]
    FROM facts
    WHERE (SELECT count(*) FROM taken) > 0
)
SELECT
    ours.email, ours.first_name, ours.last_name, ours.locale,
    CASE WHEN ours.place = 1 THEN facts.lease_until END AS lease_until
FROM ours
CROSS JOIN facts
ORDER BY ours.place
