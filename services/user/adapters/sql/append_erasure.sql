-- Erase person $1 by the event of version $2 (type $3, metadata $4, message $5, recorded at $6,
-- exchange $7): the data key is destroyed, the state reduced to a tombstone, the hashes of this
-- person's requests forgotten. $8 caller, $9 idempotency key (or NULL), $10 request hash.
-- All of it happens or nothing. Beside a copy of itself it waits for the row lock and then loses;
-- while the key's first use is in flight no row comes back.
WITH gate AS MATERIALIZED (
    SELECT $9::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended($8::text || ' ' || $9::text, 0)) AS is_open
),
won AS (
    UPDATE people
    SET version = $2::integer,
        schedule_version = $2::integer,
        status = 'erased',
        state = NULL,
        email_key = NULL,
        external_id = NULL,
        name_key = NULL,
        family_name_key = NULL,
        birthday_month_day = NULL,
        timezone = NULL
    WHERE people.person_id = $1::uuid
      AND people.version = $2::integer - 1
      AND (SELECT gate.is_open FROM gate)
    RETURNING people.person_id
),
shredded AS (
    DELETE FROM person_keys USING won WHERE person_keys.person_id = won.person_id
),
forgotten AS (
    UPDATE idempotency_keys SET request_hash = NULL
    FROM won
    WHERE idempotency_keys.person_id = won.person_id
),
appended AS (
    INSERT INTO events (stream_id, version, type, data, metadata, recorded_at)
    SELECT won.person_id, $2::integer, $3::text, '', $4::text::jsonb, $6::timestamptz
    FROM won
),
queued AS (
    INSERT INTO outbox (exchange, routing_key, items, body)
    SELECT $7::text, $3::text, 1, $5::bytea
    FROM won
),
remembered AS (
    INSERT INTO idempotency_keys (caller, key, request_hash, person_id, version)
    SELECT $8::text, $9::text, $10::bytea, won.person_id, $2::integer
    FROM won
    WHERE $9::text IS NOT NULL
)
SELECT EXISTS (SELECT FROM won) AS has_won
FROM gate
WHERE gate.is_open
