-- Open again those of the days $1 that are closed: their account has changed.
-- Needs lock_days_shared.
UPDATE days SET closed_at = NULL WHERE local_day = ANY ($1::date[]) AND closed_at IS NOT NULL
