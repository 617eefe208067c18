-- no-transaction
-- Whose mail a suppression stops.
CREATE INDEX CONCURRENTLY IF NOT EXISTS contacts_address_idx
    ON contacts (address) WHERE address IS NOT NULL
