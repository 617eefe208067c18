-- Count the occurrences of the local day $1 by kind, outcome and reason. What is not accepted counts
-- by its latest step; "attempted" is in flight. Reads the day's partition once.
SELECT latest.kind, latest.type, latest.reason, count(*) AS occurrences
FROM (
    SELECT DISTINCT ON (event.person_id, event.kind) event.kind, event.type, event.reason
    FROM delivery_events AS event
    WHERE event.local_day = $1
    ORDER BY
        event.person_id, event.kind,
        event.type = 'accepted' DESC, event.release DESC, event.step DESC
) AS latest
GROUP BY latest.kind, latest.type, latest.reason
ORDER BY latest.kind, latest.type, latest.reason
