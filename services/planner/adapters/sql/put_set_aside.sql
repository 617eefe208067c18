-- Keep messages for a person to look at. One array per column; one kept already stays as it is.
INSERT INTO set_aside (id, queue, type, reason, body, items, recorded_at)
SELECT id, queue, type, reason, body, items, clock_timestamp()
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::int[])
    AS message (id, queue, type, reason, body, items)
ON CONFLICT (id) DO NOTHING
