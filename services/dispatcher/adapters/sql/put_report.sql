-- Record a report: $1 id, $2 type, $3 verdict, $4 status, $5 digest of the address, $6 local day,
-- $7 person, $8 kind, $9 now (calendar). No row: it is there already.
INSERT INTO provider_reports (
    report_id, type, verdict, status, address_digest, local_day, person_id, kind, reported_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING
RETURNING provider_reports.report_id
