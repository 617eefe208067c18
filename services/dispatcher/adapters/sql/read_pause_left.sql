-- Return how many real seconds the provider $1 is still to be left alone; no row, no pause.
SELECT extract(epoch FROM pause.until - clock_timestamp())::double precision AS left_s
FROM provider_pauses AS pause
WHERE pause.provider = $1 AND pause.until > clock_timestamp()
