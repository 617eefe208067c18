-- Count the bounces since $2 of the address with the digest $1, one a mail.
-- Reads provider_reports_counted_idx.
SELECT count(*)::integer AS bounces
FROM provider_reports AS report
WHERE report.address_digest = $1 AND report.reported_at >= $2 AND report.verdict = 'count'
