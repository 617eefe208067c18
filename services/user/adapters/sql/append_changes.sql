-- Append one event to each of several people: one row each of the arrays $1 ids, $2 new versions,
-- $3 schedule versions, $4 statuses, $5 states, $6 e-mail keys, $7 external ids, $8 name keys,
-- $9 family name keys, $10 birthdays (month * 100 + day), $11 zones, $12 event types, $13 sealed
-- event data, $14 metadata, $15 messages; recorded at $16; exchange $17, $18 events per outbox row
-- at most, and never a megabyte of them. $19 caller, $20 idempotency key (or NULL) and $21 request hash are for a single person.
-- A row wins if its person stands at the version before and nobody else living bears its address or
-- external id. State, event, outbox rows and idempotency key exist together or not at all. Beside a
-- copy of itself it waits for the other's row lock and then loses. A clash with an address taken
-- since this statement began, or a key recorded since, is a unique violation and undoes everything;
-- while a key's first use is in flight no row comes back.
WITH gate AS MATERIALIZED (
    SELECT $20::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended($19::text || ' ' || $20::text, 0)) AS is_open
),
offered AS MATERIALIZED (
    SELECT
        row.person_id, row.version, row.schedule_version, row.status, row.state, row.email_key,
        row.external_id, row.name_key, row.family_name_key, row.birthday_month_day, row.timezone,
        row.type, row.data, row.metadata, row.message, row.place,
        -- Scalar subqueries, not EXISTS: while statistics are young, EXISTS would hash the table.
        row.status = 'active' AND coalesce((
            SELECT true FROM people AS other
            WHERE other.email_key = row.email_key
              AND other.status = 'active'
              AND other.person_id <> row.person_id
        ), false) AS is_email_taken,
        row.status = 'active' AND coalesce((
            SELECT true FROM people AS other
            WHERE other.external_id = row.external_id
              AND other.status = 'active'
              AND other.person_id <> row.person_id
        ), false) AS is_external_id_taken
    FROM unnest(
        $1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::smallint[], $11::text[], $12::text[], $13::bytea[],
        $14::text[], $15::bytea[]
    ) WITH ORDINALITY AS row (
        person_id, version, schedule_version, status, state, email_key, external_id, name_key,
        family_name_key, birthday_month_day, timezone, type, data, metadata, message, place
    )
    WHERE (SELECT gate.is_open FROM gate)
),
won AS (
    UPDATE people
    SET version = offered.version,
        schedule_version = offered.schedule_version,
        status = offered.status,
        state = offered.state::jsonb,
        email_key = offered.email_key,
        external_id = offered.external_id,
        name_key = offered.name_key,
        family_name_key = offered.family_name_key,
        birthday_month_day = offered.birthday_month_day,
        timezone = offered.timezone
    FROM offered
    WHERE people.person_id = offered.person_id
      AND people.version = offered.version - 1
      AND NOT offered.is_email_taken
      AND NOT offered.is_external_id_taken
    RETURNING people.person_id
),
appended AS (
    INSERT INTO events (stream_id, version, type, data, metadata, recorded_at)
    SELECT
        offered.person_id, offered.version, offered.type, offered.data, offered.metadata::jsonb,
        $16::timestamptz
    FROM offered
    JOIN won ON won.person_id = offered.person_id
    ORDER BY offered.place
),
queued AS (
    INSERT INTO outbox (exchange, routing_key, items, body)
    SELECT
        $17::text, winner.type, count(*),
        string_agg(winner.message, ','::bytea ORDER BY winner.rank)
    FROM (
        SELECT
            offered.type, offered.message,
            row_number() OVER (PARTITION BY offered.type ORDER BY offered.place) - 1 AS rank,
            sum(length(offered.message))
                OVER (PARTITION BY offered.type ORDER BY offered.place) AS bytes
        FROM offered
        JOIN won ON won.person_id = offered.person_id
    ) AS winner
    GROUP BY winner.type, winner.rank / $18::integer, winner.bytes / 900000
),
remembered AS (
    INSERT INTO idempotency_keys (caller, key, request_hash, person_id, version)
    SELECT $19::text, $20::text, $21::bytea, offered.person_id, offered.version
    FROM offered
    JOIN won ON won.person_id = offered.person_id
    WHERE $20::text IS NOT NULL
)
SELECT won.person_id IS NOT NULL AS has_won, offered.is_email_taken, offered.is_external_id_taken
FROM offered
LEFT JOIN won ON won.person_id = offered.person_id
ORDER BY offered.place
