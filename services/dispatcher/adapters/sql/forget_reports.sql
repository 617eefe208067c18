-- Forget up to $2 reports from before $1: they count for nothing any more.
-- Reads provider_reports_age_idx.
DELETE FROM provider_reports
WHERE provider_reports.report_id IN (
    SELECT report.report_id
    FROM provider_reports AS report
    WHERE report.reported_at < $1
    ORDER BY report.reported_at
    LIMIT $2
)
