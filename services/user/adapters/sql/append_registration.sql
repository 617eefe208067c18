-- Register one new person: $1 id, $2 state, $3 e-mail key, $4 external id, $5 name key, $6 family
-- name key, $7 birthday (month * 100 + day), $8 zone, $9 wrapped key, $10 sealed event data, $11
-- metadata, $12 message; recorded at $13; event type $14; exchange $15. $16 caller, $17
-- idempotency key (or NULL) and $18 request hash.
-- What append_registrations does for a thousand, without arrays to join: its plan is made once and
-- kept. State, event, data key, outbox row and idempotency key exist together or not at all. An
-- address or external id that a living person bears loses. Beside a copy of itself it waits for the
-- other's commit, then one of the two loses. A key that was recorded since is a unique violation
-- and undoes everything; while its first use is in flight no row comes back.
WITH gate AS MATERIALIZED (
    SELECT $17::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended($16::text || ' ' || $17::text, 0)) AS is_open
),
won AS (
    INSERT INTO people (
        person_id, version, schedule_version, status, state, email_key, external_id, name_key,
        family_name_key, birthday_month_day, timezone
    )
    SELECT
        $1::uuid, 1, 1, 'active', $2::jsonb, $3::text, $4::text, $5::text, $6::text, $7::smallint,
        $8::text
    FROM gate
    WHERE gate.is_open
    ON CONFLICT DO NOTHING
    RETURNING people.person_id
),
appended AS (
    INSERT INTO events (stream_id, version, type, data, metadata, recorded_at)
    SELECT won.person_id, 1, $14::text, $10::bytea, $11::jsonb, $13::timestamptz
    FROM won
),
keyed AS (
    INSERT INTO person_keys (person_id, wrapped_key)
    SELECT won.person_id, $9::bytea
    FROM won
),
queued AS (
    INSERT INTO outbox (exchange, routing_key, items, body)
    SELECT $15::text, $14::text, 1, $12::bytea
    FROM won
),
remembered AS (
    INSERT INTO idempotency_keys (caller, key, request_hash, person_id, version)
    SELECT $16::text, $17::text, $18::bytea, won.person_id, 1
    FROM won
    WHERE $17::text IS NOT NULL
)
-- Scalar subqueries, not EXISTS: while statistics are young, EXISTS would hash the whole table.
SELECT
    won.person_id IS NOT NULL AS has_won,
    won.person_id IS NULL AND coalesce((
        SELECT true FROM people AS other
        WHERE other.email_key = $3::text AND other.status = 'active'
    ), false) AS is_email_taken,
    won.person_id IS NULL AND coalesce((
        SELECT true FROM people AS other
        WHERE other.external_id = $4::text AND other.status = 'active'
    ), false) AS is_external_id_taken
FROM gate
LEFT JOIN won ON true
WHERE gate.is_open
