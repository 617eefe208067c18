-- Forget signatures older than $1 real seconds: their time stamps are refused by now.
-- Reads report_signatures_age_idx.
DELETE FROM report_signatures
WHERE report_signatures.seen_at < clock_timestamp() - make_interval(secs => $1)
