-- Take the signature $1 of a webhook that says it was sent at $2 (Unix seconds), unless it was taken
-- before or was sent more than $3 real seconds ago, or ahead. One row: it is new and fresh.
-- A copy beside this one waits for its transaction, and is refused if that commits.
INSERT INTO report_signatures (signature, seen_at)
SELECT $1, clock_timestamp()
WHERE abs(extract(epoch FROM clock_timestamp())::float8 - $2::float8) <= $3::float8
ON CONFLICT DO NOTHING
RETURNING report_signatures.seen_at
