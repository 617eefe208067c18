-- Record settlements (step 2) of unknown outcomes and let go of the periods they free.
-- Arrays: $1 local days, $2 persons, $3 kinds, $4 releases, $5 types, $6 reasons, $7 periods,
-- $8 due instants, $9 retry instants, $10 providers, $11 message ids, $12 numeric answers,
-- $13 versions of the text that was sent.
-- $14 now (calendar); $15 and $16 the first and last local day.
-- Returns the keys of what was recorded: only an unknown outcome can be settled, and only once.
-- Reads delivery_events_pkey.
WITH told AS MATERIALIZED (
    SELECT
        event.local_day, event.person_id, event.kind, event.release, event.type, event.reason,
        event.period, event.due_at, event.retry_at, event.provider, event.message_id, event.answer,
        event.template_version
    FROM unnest(
        $1::date[], $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::date[],
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], $12::integer[],
        $13::integer[]
    ) AS event (
        local_day, person_id, kind, release, type, reason, period,
        due_at, retry_at, provider, message_id, answer, template_version
    )
),
recorded AS (
    INSERT INTO delivery_events (
        local_day, person_id, kind, release, step, type, reason, period, due_at, recorded_at,
        retry_at, provider, message_id, answer, template_version
    )
    SELECT
        told.local_day, told.person_id, told.kind, told.release, 2, told.type,
        told.reason, told.period, told.due_at, $14, told.retry_at, told.provider,
        told.message_id, told.answer, told.template_version
    FROM told
    -- Each by its key: joined, all unknown outcomes of the days would be read for every batch.
    CROSS JOIN LATERAL (
        SELECT event.type
        FROM delivery_events AS event
        WHERE event.local_day = told.local_day
          AND event.local_day BETWEEN $15 AND $16
          AND event.person_id = told.person_id
          AND event.kind = told.kind
          AND event.release = told.release
          AND event.step = 1
        LIMIT 1
    ) AS outcome
    WHERE outcome.type = 'unknown'
    ORDER BY told.local_day, told.person_id, told.kind, told.release
    ON CONFLICT DO NOTHING
    RETURNING
        delivery_events.local_day, delivery_events.person_id, delivery_events.kind,
        delivery_events.release, delivery_events.type, delivery_events.period
),
freed AS (
    UPDATE greeted
    SET holder_day = NULL, holder_release = NULL
    FROM recorded
    WHERE recorded.type IN ('refused', 'deferred')
      AND greeted.period = recorded.period
      AND greeted.person_id = recorded.person_id
      AND greeted.kind = recorded.kind
      AND greeted.holder_day = recorded.local_day
      AND greeted.holder_release = recorded.release
)
SELECT recorded.local_day, recorded.person_id, recorded.kind, recorded.release
FROM recorded
