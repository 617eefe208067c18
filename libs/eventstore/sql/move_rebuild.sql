-- Note that the rebuild is in phase $1, done up to and including $2, having looked at $3 more events.
UPDATE rebuild SET phase = $1, after = $2, events = rebuild.events + $3
