-- Tell whether the outcome of any attempt of the local days $1 to $2 was ever unknown, settled since
-- or not. Reads delivery_events_unknown_idx, which is all but empty, of those days alone.
SELECT EXISTS (
    SELECT
    FROM delivery_events AS outcome
    WHERE outcome.local_day BETWEEN $1 AND $2 AND outcome.step = 1 AND outcome.type = 'unknown'
) AS is_any
