-- Claim what may be sent of up to 500 requests, each attempt once.
-- Arrays: $1 local days, $2 persons, $3 kinds, $4 releases, $5 periods, $6 due, $7 expiry instants,
-- $8 person versions; no (day, person, kind, release) twice. $9 now (calendar), $10 the claim's id,
-- $11 the lease in seconds (real time), $12 the provider, $13 and $14 the first and last local day.
--
-- Judges every request against contacts, suppressions, earlier attempts and the period, as of now;
-- inserts step 0 of those that are ours to send or to suppress; of those to send takes "greeted".
-- Beside a copy of itself the primary key decides: who inserts step 0 has it, the other one waits
-- for that commit and sees a copy. Events are locked before "greeted", both in the order of their
-- keys, so copies cannot wait for each other in a circle.
--
-- Verdicts: claim; copy (attempted already, or the occurrence itself holds its period); held
-- (another attempt took the period a moment ago); the reasons for returning or suppressing.
-- Reads contacts_pkey, suppressions_pkey, delivery_events_pkey, greeted_pkey.
WITH lease AS MATERIALIZED (
    SELECT clock_timestamp() + make_interval(secs => $11) AS until
),
asked AS (
    SELECT
        request.local_day, request.person_id, request.kind, request.release, request.period,
        request.due_at, request.expires_at, request.person_version, request.place
    FROM unnest(
        $1::date[], $2::uuid[], $3::text[], $4::integer[], $5::date[],
        $6::timestamptz[], $7::timestamptz[], $8::integer[]
    ) WITH ORDINALITY AS request (
        local_day, person_id, kind, release, period,
        due_at, expires_at, person_version, place
    )
),
judged AS MATERIALIZED (
    SELECT
        asked.local_day, asked.person_id, asked.kind, asked.release, asked.period,
        asked.due_at, asked.expires_at, asked.place,
        contacts.version, contacts.email, contacts.first_name, contacts.last_name,
        contacts.locale, earlier.attempts,
        CASE
            WHEN earlier.is_copy OR greeted.holder_day = asked.local_day THEN 'copy'
            WHEN $9 < asked.due_at THEN 'early'
            WHEN $9 > asked.expires_at THEN 'expired'
            WHEN contacts.version IS NULL OR contacts.version < asked.person_version
                THEN 'contact_behind'
            WHEN contacts.state <> 'active' THEN 'user_removed'
            WHEN contacts.schedule_version > asked.person_version THEN 'schedule_changed'
            WHEN asked.kind = ANY (contacts.opt_outs) THEN 'opted_out'
            WHEN suppressions.address IS NOT NULL THEN 'address_suppressed'
            WHEN greeted.holder_day IS NOT NULL THEN 'already_greeted'
            ELSE 'claim'
        END AS verdict
    FROM asked
    CROSS JOIN LATERAL (
        SELECT
            count(*)::integer AS attempts,
            coalesce(bool_or(event.release = asked.release), FALSE) AS is_copy
        FROM delivery_events AS event
        WHERE event.local_day = asked.local_day
          AND event.local_day BETWEEN $13 AND $14
          AND event.person_id = asked.person_id
          AND event.kind = asked.kind
          AND event.step = 0
    ) AS earlier
    LEFT JOIN contacts ON contacts.person_id = asked.person_id
    LEFT JOIN suppressions ON suppressions.address = contacts.address
    LEFT JOIN greeted
        ON greeted.period = asked.period
        AND greeted.person_id = asked.person_id
        AND greeted.kind = asked.kind
),
won AS (
    INSERT INTO delivery_events (
        local_day, person_id, kind, release, step, type, period, due_at, expires_at,
        recorded_at, lease_until, provider, person_version
    )
    SELECT
        judged.local_day, judged.person_id, judged.kind, judged.release, 0, 'attempted',
        judged.period, judged.due_at, judged.expires_at, $9, lease.until, $12, judged.version
    FROM judged
    CROSS JOIN lease
    WHERE judged.verdict IN (
        'claim', 'user_removed', 'opted_out', 'address_suppressed', 'already_greeted'
    )
    ORDER BY judged.local_day, judged.person_id, judged.kind, judged.release
    ON CONFLICT DO NOTHING
    RETURNING
        delivery_events.local_day, delivery_events.person_id,
        delivery_events.kind, delivery_events.release
),
taken AS (
    INSERT INTO greeted (period, person_id, kind, holder_day, holder_release)
    -- Of two attempts of one period in this batch only one may take it: a statement must not touch
    -- a row twice.
    SELECT DISTINCT ON (judged.period, judged.person_id, judged.kind)
        judged.period, judged.person_id, judged.kind, judged.local_day, judged.release
    FROM judged
    JOIN won
        ON won.local_day = judged.local_day
        AND won.person_id = judged.person_id
        AND won.kind = judged.kind
        AND won.release = judged.release
    WHERE judged.verdict = 'claim'
    ORDER BY
        judged.period, judged.person_id, judged.kind, judged.local_day, judged.release DESC
    ON CONFLICT (period, person_id, kind) DO UPDATE
    SET holder_day = excluded.holder_day,
        holder_release = excluded.holder_release
    WHERE greeted.holder_day IS NULL
    RETURNING greeted.person_id, greeted.kind, greeted.holder_day, greeted.holder_release
),
opened AS (
    INSERT INTO open_claims (claim_id, lease_until, local_days, person_ids)
    SELECT $10, lease.until, array_agg(DISTINCT taken.holder_day), array_agg(taken.person_id)
    FROM taken
    CROSS JOIN lease
    GROUP BY lease.until
)
SELECT
    judged.place,
    judged.email, judged.first_name, judged.last_name, judged.locale, judged.attempts,
    lease.until AS lease_until,
    CASE
        WHEN judged.verdict IN (
            'copy', 'early', 'expired', 'contact_behind', 'schedule_changed'
        ) THEN judged.verdict
        WHEN won.release IS NULL THEN 'copy'
        WHEN judged.verdict = 'claim' AND taken.holder_day IS NULL THEN 'held'
        ELSE judged.verdict
    END AS verdict
FROM judged
CROSS JOIN lease
LEFT JOIN won
    ON won.local_day = judged.local_day
    AND won.person_id = judged.person_id
    AND won.kind = judged.kind
    AND won.release = judged.release
LEFT JOIN taken
    ON taken.holder_day = judged.local_day
    AND taken.person_id = judged.person_id
    AND taken.kind = judged.kind
    AND taken.holder_release = judged.release
ORDER BY judged.place
