-- Record outcomes (step 1) or settlements (step 2) and let go of the periods they free.
-- Arrays: $1 local days, $2 persons, $3 kinds, $4 releases, $5 steps, $6 types, $7 reasons,
-- $8 periods, $9 due instants, $10 retry instants, $11 providers, $12 message ids, $13 numeric
-- answers. $14 now (calendar); $15 the claim that ends here, NULL for none.
-- Returns the keys of what was recorded: what is there already stays, and a settlement needs an
-- unknown outcome to settle.
--
-- The claim's row is deleted first. Whoever looks for lapsed claims locks that row before it writes
-- its events; in the other order the two could wait for each other in a circle.
WITH closed AS MATERIALIZED (
    DELETE FROM open_claims WHERE open_claims.claim_id = $15 RETURNING open_claims.claim_id
),
told AS MATERIALIZED (
    SELECT
        event.local_day, event.person_id, event.kind, event.release, event.step, event.type,
        event.reason, event.period, event.due_at, event.retry_at, event.provider,
        event.message_id, event.answer
    FROM unnest(
        $1::date[], $2::uuid[], $3::text[], $4::integer[], $5::smallint[], $6::text[],
        $7::text[], $8::date[], $9::timestamptz[], $10::timestamptz[], $11::text[],
        $12::text[], $13::integer[]
    ) AS event (
        local_day, person_id, kind, release, step, type,
        reason, period, due_at, retry_at, provider,
        message_id, answer
    )
    WHERE (SELECT count(*) FROM closed) >= 0
),
recorded AS (
    INSERT INTO delivery_events (
        local_day, person_id, kind, release, step, type, reason, due_at, recorded_at,
        retry_at, provider, message_id, answer
    )
    SELECT
        told.local_day, told.person_id, told.kind, told.release, told.step, told.type,
        told.reason, told.due_at, $14, told.retry_at, told.provider, told.message_id, told.answer
    FROM told
    WHERE told.step = 1 OR EXISTS (
        SELECT FROM delivery_events AS outcome
        WHERE outcome.local_day = told.local_day
          AND outcome.person_id = told.person_id
          AND outcome.kind = told.kind
          AND outcome.release = told.release
          AND outcome.step = 1
          AND outcome.type = 'unknown'
    )
    ORDER BY told.local_day, told.person_id, told.kind, told.release
    ON CONFLICT DO NOTHING
    RETURNING
        delivery_events.local_day, delivery_events.person_id,
        delivery_events.kind, delivery_events.release
),
freed AS (
    UPDATE greeted
    SET holder_day = NULL, holder_release = NULL
    FROM told
    JOIN recorded
        ON recorded.local_day = told.local_day
        AND recorded.person_id = told.person_id
        AND recorded.kind = told.kind
        AND recorded.release = told.release
    WHERE told.type IN ('refused', 'deferred', 'suppressed')
      AND greeted.period = told.period
      AND greeted.person_id = told.person_id
      AND greeted.kind = told.kind
      AND greeted.holder_day = told.local_day
      AND greeted.holder_release = told.release
)
SELECT recorded.local_day, recorded.person_id, recorded.kind, recorded.release
FROM recorded
