-- Take a day whose rows have to follow a hold, with the hold's scope and how far the day is done.
-- The earliest first; another planner's is skipped. Reads hold_work_pkey.
SELECT
    work.hold_id, work.local_day, work.after_person, work.after_kind,
    coalesce(pause.person_id, cancellation.person_id) AS person_id,
    coalesce(pause.kind, cancellation.kind) AS kind,
    cancellation.cancellation_id IS NOT NULL AS is_cancellation
FROM hold_work AS work
LEFT JOIN pauses AS pause ON pause.pause_id = work.hold_id
LEFT JOIN cancellations AS cancellation ON cancellation.cancellation_id = work.hold_id
ORDER BY work.local_day, work.hold_id
LIMIT 1
FOR UPDATE OF work SKIP LOCKED
