-- Have the slices of the open days planned once more: under another release of the zone data
-- somebody may be owed what was known too late before. What is planned stays as it is.
UPDATE slices SET done_at = NULL
FROM days
WHERE days.local_day = slices.local_day AND days.closed_at IS NULL AND slices.done_at IS NOT NULL
