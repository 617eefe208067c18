-- Return how many real seconds are left of a lease that ends at $1, by the server's clock.
SELECT extract(epoch FROM $1::timestamptz - clock_timestamp())::double precision AS left_s
