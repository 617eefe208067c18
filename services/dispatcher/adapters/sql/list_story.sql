-- List every step of one occurrence in order: $1 local day, $2 person, $3 kind.
SELECT
    event.release, event.step, event.type, event.reason, event.recorded_at, event.period,
    event.due_at, event.expires_at, event.lease_until, event.provider, event.message_id,
    event.retry_at, event.person_version, event.answer,
    event.years, event.texts_as_of, event.template_version
FROM delivery_events AS event
WHERE event.local_day = $1 AND event.person_id = $2 AND event.kind = $3
ORDER BY event.release, event.step
