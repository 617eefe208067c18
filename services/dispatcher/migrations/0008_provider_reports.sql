-- Bounces and complaints, each once: ``report_id`` is a digest of who was mailed what and what was
-- said of it. Addresses are kept as digests, to be counted; people and occurrences as everywhere.
CREATE TABLE provider_reports (
    report_id bytea PRIMARY KEY,
    type text NOT NULL CHECK (type IN ('bounced', 'complained')),
    verdict text NOT NULL CHECK (verdict IN ('suppress', 'count', 'ignore')),
    status text,
    address_digest bytea,
    local_day date,
    person_id uuid,
    kind text,
    reported_at timestamptz NOT NULL,
    CHECK ((local_day IS NULL) = (person_id IS NULL) AND (person_id IS NULL) = (kind IS NULL)),
    CHECK ((type = 'bounced') = (status IS NOT NULL))
);

CREATE INDEX provider_reports_counted_idx ON provider_reports (address_digest, reported_at)
    WHERE verdict = 'count';
CREATE INDEX provider_reports_age_idx ON provider_reports (reported_at);

-- Signatures of webhooks taken in the last minutes (real time), so that none is taken twice.
CREATE TABLE report_signatures (
    signature bytea PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

CREATE INDEX report_signatures_age_idx ON report_signatures (seen_at);
