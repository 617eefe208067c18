-- Return what is known of occurrences, one row each: $1 local days, $2 persons, $3 kinds.
-- An accepted mail is the answer for ever, whatever was asked afterwards; otherwise the latest step
-- of the latest attempt. An attempt still in flight has no answer and no row.
SELECT
    asked.local_day, asked.person_id, asked.kind, latest.release, latest.step, latest.type,
    latest.reason, latest.due_at, latest.recorded_at, latest.retry_at, latest.provider,
    latest.message_id
FROM (
    SELECT DISTINCT given.local_day, given.person_id, given.kind
    FROM unnest($1::date[], $2::uuid[], $3::text[]) AS given (local_day, person_id, kind)
) AS asked
CROSS JOIN LATERAL (
    SELECT
        event.release, event.step, event.type, event.reason, event.due_at, event.recorded_at,
        event.retry_at, event.provider, event.message_id
    FROM delivery_events AS event
    WHERE event.local_day = asked.local_day
      AND event.person_id = asked.person_id
      AND event.kind = asked.kind
    ORDER BY event.type = 'accepted' DESC, event.release DESC, event.step DESC
    LIMIT 1
) AS latest
WHERE latest.step > 0
