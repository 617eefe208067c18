-- Record as unknown what up to $2 claims left without outcome when their lease passed; $1 now
-- (calendar). Claims that another process is settling or closing are skipped: the row is locked
-- before any event is written, as everywhere.
-- Reads open_claims, which holds only what is under way, and delivery_events_pkey.
WITH lapsed AS (
    DELETE FROM open_claims
    WHERE open_claims.claim_id IN (
        SELECT claim.claim_id
        FROM open_claims AS claim
        WHERE claim.lease_until < clock_timestamp()
        ORDER BY claim.lease_until
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    RETURNING open_claims.lease_until, open_claims.local_days, open_claims.person_ids
),
silent AS (
    SELECT event.local_day, event.person_id, event.kind, event.release, event.provider
    FROM lapsed
    JOIN delivery_events AS event
        ON event.local_day = ANY (lapsed.local_days)
        AND event.person_id = ANY (lapsed.person_ids)
        AND event.step = 0
        AND event.lease_until = lapsed.lease_until
)
INSERT INTO delivery_events (
    local_day, person_id, kind, release, step, type, reason, recorded_at, provider
)
SELECT
    silent.local_day, silent.person_id, silent.kind, silent.release, 1, 'unknown', 'no_outcome',
    $1, silent.provider
FROM silent
ORDER BY silent.local_day, silent.person_id, silent.kind, silent.release
ON CONFLICT DO NOTHING
RETURNING
    delivery_events.local_day, delivery_events.person_id, delivery_events.kind,
    delivery_events.release, delivery_events.step, delivery_events.type,
    delivery_events.reason, delivery_events.recorded_at, delivery_events.provider
