-- Claim what may be sent of up to 500 requests, each attempt once.
-- Arrays: $1 local days, $2 persons, $3 kinds, $4 releases, $5 periods, $6 due, $7 expiry instants,
-- $8 person versions; no (day, person, kind, release) twice. $9 now (calendar), $10 the claim's id,
-- $11 the lease in seconds (real time), $12 the provider, $13 and $14 the first and last local day,
-- $15 the years each mail names (an array too), $16 the texts as of which it is written.
--
-- Judges every request against contacts, suppressions, what operators hold back, earlier attempts
-- and the period, as of now;
-- inserts step 0 of those that are ours to send (with a lease) or to suppress (without one); of
-- those to send takes "greeted". Beside a copy of itself the primary key decides: who inserts step 0
-- has it, the other one waits for that commit. Events are locked before "greeted", both in the
-- order of their keys, so copies cannot wait for each other in a circle.
--
-- Verdicts: claim; copy (attempted already, or the occurrence itself holds its period); the reasons
-- for returning or suppressing. They are judged before anything is written. Only where a copy was
-- faster in the same moment the first row lists what was really inserted (won) and taken.
-- Look-ups are LATERAL with a LIMIT, and nothing is joined with what was inserted: the planner
-- expects a handful of rows, and where a table was empty when it last looked it would otherwise
-- compare all with all.
-- Reads contacts_pkey, suppressions_pkey, unsubscribes_pkey, delivery_events_pkey, greeted_pkey; and
-- pauses_open_idx, cancellations_scope_idx where there are any such at all.
WITH lease AS MATERIALIZED (
    SELECT clock_timestamp() + make_interval(secs => $11) AS until
),
open_holds AS MATERIALIZED (
    SELECT
        EXISTS (SELECT FROM pauses WHERE pauses.resumed_at IS NULL) AS has_pauses,
        EXISTS (SELECT FROM cancellations) AS has_cancellations
),
asked AS (
    SELECT
        request.local_day, request.person_id, request.kind, request.release, request.period,
        request.due_at, request.expires_at, request.person_version, request.years, request.place
    FROM unnest(
        $1::date[], $2::uuid[], $3::text[], $4::integer[], $5::date[],
        $6::timestamptz[], $7::timestamptz[], $8::integer[], $15::integer[]
    ) WITH ORDINALITY AS request (
        local_day, person_id, kind, release, period,
        due_at, expires_at, person_version, years, place
    )
),
judged AS MATERIALIZED (
    SELECT
        asked.local_day, asked.person_id, asked.kind, asked.release, asked.period,
        asked.due_at, asked.expires_at, asked.years, asked.place,
        contact.version, contact.email, contact.first_name, contact.last_name,
        contact.locale, earlier.attempts,
        CASE
            WHEN earlier.is_copy OR holder.holder_day = asked.local_day THEN 'copy'
            WHEN $9 < asked.due_at THEN 'early'
            WHEN $9 > asked.expires_at THEN 'expired'
            WHEN contact.version IS NULL OR contact.version < asked.person_version
                THEN 'contact_behind'
            WHEN contact.state <> 'active' THEN 'user_removed'
            WHEN contact.schedule_version > asked.person_version THEN 'schedule_changed'
            WHEN asked.kind = ANY (contact.opt_outs) THEN 'opted_out'
            WHEN unsubscribe.kind IS NOT NULL THEN 'unsubscribed'
            WHEN suppression.address IS NOT NULL THEN 'address_suppressed'
            WHEN cancellation.is_there THEN 'cancelled'
            WHEN pause.is_there THEN 'paused'
            WHEN holder.holder_day IS NOT NULL THEN 'already_greeted'
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
    LEFT JOIN LATERAL (
        SELECT
            person.version, person.schedule_version, person.state, person.email, person.address,
            person.first_name, person.last_name, person.locale, person.opt_outs
        FROM contacts AS person
        WHERE person.person_id = asked.person_id
        LIMIT 1
    ) AS contact ON TRUE
    LEFT JOIN LATERAL (
        SELECT suppressed.address
        FROM suppressions AS suppressed
        WHERE suppressed.address = contact.address
        LIMIT 1
    ) AS suppression ON TRUE
    LEFT JOIN LATERAL (
        SELECT unwanted.kind
        FROM unsubscribes AS unwanted
        WHERE unwanted.person_id = asked.person_id AND unwanted.kind = asked.kind
        LIMIT 1
    ) AS unsubscribe ON TRUE
    CROSS JOIN open_holds
    LEFT JOIN LATERAL (
        (
            SELECT TRUE AS is_there
            FROM cancellations AS personal
            WHERE open_holds.has_cancellations
              AND personal.person_id = asked.person_id
              AND (personal.kind IS NULL OR personal.kind = asked.kind)
              AND asked.local_day BETWEEN personal.first_day AND personal.last_day
        )
        UNION ALL
        (
            SELECT TRUE
            FROM cancellations AS general
            WHERE open_holds.has_cancellations
              AND general.person_id IS NULL
              AND (general.kind IS NULL OR general.kind = asked.kind)
              AND asked.local_day BETWEEN general.first_day AND general.last_day
        )
        LIMIT 1
    ) AS cancellation ON TRUE
    LEFT JOIN LATERAL (
        (
            SELECT TRUE AS is_there
            FROM pauses AS personal
            WHERE open_holds.has_pauses
              AND personal.resumed_at IS NULL
              AND personal.person_id = asked.person_id
              AND (personal.kind IS NULL OR personal.kind = asked.kind)
        )
        UNION ALL
        (
            SELECT TRUE
            FROM pauses AS general
            WHERE open_holds.has_pauses
              AND general.resumed_at IS NULL
              AND general.person_id IS NULL
              AND (general.kind IS NULL OR general.kind = asked.kind)
        )
        LIMIT 1
    ) AS pause ON TRUE
    LEFT JOIN LATERAL (
        SELECT held.holder_day
        FROM greeted AS held
        WHERE held.period = asked.period
          AND held.person_id = asked.person_id
          AND held.kind = asked.kind
        LIMIT 1
    ) AS holder ON TRUE
),
won AS (
    INSERT INTO delivery_events (
        local_day, person_id, kind, release, step, type, period, due_at, expires_at,
        recorded_at, lease_until, provider, person_version, years, texts_as_of
    )
    SELECT
        judged.local_day, judged.person_id, judged.kind, judged.release, 0, 'attempted',
        judged.period, judged.due_at, judged.expires_at, $9,
        CASE WHEN judged.verdict = 'claim' THEN lease.until END, $12, judged.version,
        judged.years, $16
    FROM judged
    CROSS JOIN lease
    WHERE judged.verdict IN (
        'claim', 'user_removed', 'opted_out', 'unsubscribed', 'address_suppressed',
        'already_greeted'
    )
    ORDER BY judged.local_day, judged.person_id, judged.kind, judged.release
    ON CONFLICT DO NOTHING
    RETURNING
        delivery_events.local_day, delivery_events.person_id, delivery_events.kind,
        delivery_events.release, delivery_events.period, delivery_events.lease_until
),
taken AS (
    INSERT INTO greeted (period, person_id, kind, holder_day, holder_release)
    -- Of two attempts of one period in this batch only one may take it: a statement must not touch
    -- a row twice.
    SELECT DISTINCT ON (won.period, won.person_id, won.kind)
        won.period, won.person_id, won.kind, won.local_day, won.release
    FROM won
    WHERE won.lease_until IS NOT NULL
    ORDER BY won.period, won.person_id, won.kind, won.local_day, won.release DESC
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
),
tally AS MATERIALIZED (
    SELECT
        count(*) FILTER (WHERE judged.verdict IN (
            'claim', 'user_removed', 'opted_out', 'unsubscribed', 'address_suppressed',
            'already_greeted'
        )) > (SELECT count(*) FROM won) AS has_losses,
        count(*) FILTER (WHERE judged.verdict = 'claim')
            > (SELECT count(*) FROM taken) AS has_held
    FROM judged
)
SELECT
    judged.place, judged.verdict, judged.attempts,
    judged.email, judged.first_name, judged.last_name, judged.locale,
    lease.until AS lease_until,
    CASE WHEN judged.place = 1 AND tally.has_losses THEN (
        SELECT coalesce(
            array_agg(concat_ws('/', won.local_day, won.person_id, won.kind, won.release)), '{}'
        )
        FROM won
    ) END AS won_keys,
    CASE WHEN judged.place = 1 AND tally.has_held THEN (
        SELECT coalesce(
            array_agg(concat_ws(
                '/', taken.holder_day, taken.person_id, taken.kind, taken.holder_release
            )), '{}'
        )
        FROM taken
    ) END AS taken_keys
FROM judged
CROSS JOIN lease
CROSS JOIN tally
ORDER BY judged.place
