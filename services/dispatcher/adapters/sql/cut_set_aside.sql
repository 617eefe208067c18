-- Leave of message $1 the body $2 with $3 items.
UPDATE set_aside SET body = $2, items = $3 WHERE id = $1
