-- Note that turn $1 of the zone data is wholly planned by at $2. Harmless when repeated.
UPDATE zone_data SET replanned_at = $2 WHERE turn = $1 AND replanned_at IS NULL
