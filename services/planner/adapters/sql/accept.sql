-- Record that the provider took the mails of these occurrences: it wins over whatever was thought.
-- $1 day, $2 person, $3 kind, $4 release, $5 accepted_at, $6 message id, arrays of one length;
-- $7 the days, each once: the partitions are chosen by looking at every one of them.
-- A repeated or unknown occurrence changes nothing; how many changed is the command's count.
-- The first condition chooses the partitions, the last four the rows by primary key. The second says
-- nothing new: it has the batch taken for a few rows, whatever its size. A partition without statistics
-- is taken for a few rows too, and would else be walked as a whole for each row of the batch.
-- Needs read_by_index.
UPDATE plan
SET state = 'accepted',
    reason = NULL,
    release = greatest(plan.release, outcome.release),
    ask_at = NULL,
    settled_at = outcome.accepted_at,
    message_id = outcome.message_id
FROM unnest(
    $1::date[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[], $6::text[]
) AS outcome (local_day, person_id, kind, release, accepted_at, message_id)
WHERE plan.local_day = ANY ($7)
  AND outcome.local_day = ANY ($7)
  AND plan.local_day = outcome.local_day
  AND plan.person_id = outcome.person_id
  AND plan.kind = outcome.kind
  AND plan.state <> 'accepted'
