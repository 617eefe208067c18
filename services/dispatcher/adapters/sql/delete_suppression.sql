-- Let mail go to the address $1 again.
DELETE FROM suppressions WHERE suppressions.address = $1 RETURNING suppressions.address
