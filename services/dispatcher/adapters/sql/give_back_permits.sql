-- Give back $2 permits of the provider $1 that no mail needed; $3 come a second.
UPDATE provider_rates
SET full_at = provider_rates.full_at - make_interval(secs => $2::integer / $3::float8)
WHERE provider_rates.provider = $1
