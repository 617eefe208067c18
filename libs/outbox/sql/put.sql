-- Queue messages for the relay: $1 exchanges, $2 routing keys, $3 items in each, $4 bodies.
-- Runs inside the transaction that records the facts; copies never wait for each other.
INSERT INTO outbox (exchange, routing_key, items, body)
SELECT message.exchange, message.routing_key, message.items, message.body
FROM unnest($1::text[], $2::text[], $3::integer[], $4::bytea[])
    AS message (exchange, routing_key, items, body)
