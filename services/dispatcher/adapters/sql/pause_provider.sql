-- Leave the provider $1 alone for $2 real seconds; a longer pause stays as it is.
INSERT INTO provider_pauses (provider, until)
VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (provider) DO UPDATE
SET until = excluded.until
WHERE excluded.until > provider_pauses.until
