-- Keep cancellations: $1 ids, $2 persons, $3 kinds, $4 first days, $5 last days, $6 instants, arrays
-- of one length. One that is known stays as it is.
INSERT INTO cancellations (cancellation_id, person_id, kind, first_day, last_day, cancelled_at)
SELECT
    told.cancellation_id, told.person_id, told.kind, told.first_day, told.last_day,
    told.cancelled_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::date[], $6::timestamptz[])
    AS told (cancellation_id, person_id, kind, first_day, last_day, cancelled_at)
ORDER BY told.cancellation_id
ON CONFLICT (cancellation_id) DO NOTHING
