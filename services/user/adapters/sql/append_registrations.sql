-- Register new people: one row each of the arrays $1 ids, $2 states, $3 e-mail keys, $4 external
-- ids, $5 name keys, $6 family name keys, $7 birthdays (month * 100 + day), $8 zones, $9 wrapped
-- keys, $10 sealed event data, $11 metadata, $12 messages, $13 instants of recording; event type
-- $14; exchange $15, $16 events per outbox row at most, and never a megabyte of them. Requests with
-- an idempotency key: one row each of the arrays $17 places of their people (from 1), $18 callers,
-- $19 keys, $20 request hashes.
-- State, event, data key, outbox rows and idempotency keys exist together or not at all. An address
-- or external id that a living person bears loses its row and no other; so does the second of two
-- alike in one batch. Beside a copy of itself it waits for the other's commit, then one of the two
-- loses. Rows go in by e-mail key, so that copies seldom deadlock. A key that is there already keeps
-- its person out, and their row comes back with has_won NULL; while its first use is in flight
-- elsewhere no row comes back. A key recorded since this statement began is a unique violation and
-- undoes everything.
WITH asked AS MATERIALIZED (
    SELECT
        request.place, request.caller, request.key, request.request_hash,
        pg_try_advisory_xact_lock(hashtextextended(request.caller || ' ' || request.key, 0))
            AS is_open,
        coalesce((
            SELECT true FROM idempotency_keys AS known
            WHERE known.caller = request.caller AND known.key = request.key
        ), false) AS is_known
    FROM unnest($17::integer[], $18::text[], $19::text[], $20::bytea[])
        AS request (place, caller, key, request_hash)
),
offered AS MATERIALIZED (
    SELECT
        row.person_id, row.state, row.email_key, row.external_id, row.name_key,
        row.family_name_key, row.birthday_month_day, row.timezone, row.wrapped_key, row.data,
        row.metadata, row.message, row.recorded_at, row.place
    FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[],
        $8::text[], $9::bytea[], $10::bytea[], $11::text[], $12::bytea[], $13::timestamptz[]
    ) WITH ORDINALITY AS row (
        person_id, state, email_key, external_id, name_key, family_name_key, birthday_month_day,
        timezone, wrapped_key, data, metadata, message, recorded_at, place
    )
    WHERE row.place <> ALL (ARRAY(
        SELECT asked.place FROM asked WHERE asked.is_known OR NOT asked.is_open
    ))
),
won AS (
    INSERT INTO people (
        person_id, version, schedule_version, status, state, email_key, external_id, name_key,
        family_name_key, birthday_month_day, timezone
    )
    SELECT
        offered.person_id, 1, 1, 'active', offered.state::jsonb, offered.email_key,
        offered.external_id, offered.name_key, offered.family_name_key,
        offered.birthday_month_day, offered.timezone
    FROM offered
    ORDER BY offered.email_key COLLATE "C", offered.place
    ON CONFLICT DO NOTHING
    RETURNING people.person_id
),
appended AS (
    INSERT INTO events (stream_id, version, type, data, metadata, recorded_at)
    SELECT offered.person_id, 1, $14::text, offered.data, offered.metadata::jsonb,
        offered.recorded_at
    FROM offered
    JOIN won ON won.person_id = offered.person_id
    ORDER BY offered.place
),
keyed AS (
    INSERT INTO person_keys (person_id, wrapped_key)
    SELECT offered.person_id, offered.wrapped_key
    FROM offered
    JOIN won ON won.person_id = offered.person_id
),
queued AS (
    INSERT INTO outbox (exchange, routing_key, items, body)
    SELECT
        $15::text, $14::text, count(*),
        string_agg(winner.message, ','::bytea ORDER BY winner.rank)
    FROM (
        SELECT
            offered.message,
            row_number() OVER (ORDER BY offered.place) - 1 AS rank,
            sum(length(offered.message)) OVER (ORDER BY offered.place) AS bytes
        FROM offered
        JOIN won ON won.person_id = offered.person_id
    ) AS winner
    GROUP BY winner.rank / $16::integer, winner.bytes / 900000
),
remembered AS (
    INSERT INTO idempotency_keys (caller, key, request_hash, person_id, version)
    SELECT asked.caller, asked.key, asked.request_hash, won.person_id, 1
    FROM asked
    JOIN offered ON offered.place = asked.place
    JOIN won ON won.person_id = offered.person_id
)
-- Scalar subqueries, not EXISTS: while statistics are young, EXISTS would hash the whole table.
SELECT
    offered.place,
    won.person_id IS NOT NULL AS has_won,
    won.person_id IS NULL AND coalesce((
        SELECT true FROM people AS other
        WHERE other.email_key = offered.email_key AND other.status = 'active'
    ), false) AS is_email_taken,
    won.person_id IS NULL AND coalesce((
        SELECT true FROM people AS other
        WHERE other.external_id = offered.external_id AND other.status = 'active'
    ), false) AS is_external_id_taken
FROM offered
LEFT JOIN won ON won.person_id = offered.person_id
UNION ALL
SELECT asked.place, NULL, false, false
FROM asked
WHERE asked.is_known
