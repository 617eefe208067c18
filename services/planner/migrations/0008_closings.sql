-- How often a day was closed: it opens again when an answer changes its account, and the account
-- published with the highest number holds.
ALTER TABLE days ADD COLUMN closings integer NOT NULL DEFAULT 0;

-- What was too late to be sent is listed for a person to look at.
CREATE INDEX plan_expired_idx ON plan (person_id, kind) WHERE state = 'expired';
