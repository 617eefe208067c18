-- Add $2 to the rows that turn $1 of the zone data has moved.
UPDATE zone_data SET moved = moved + $2 WHERE turn = $1
