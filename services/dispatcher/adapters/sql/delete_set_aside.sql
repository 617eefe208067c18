-- Forget message $1.
DELETE FROM set_aside WHERE id = $1
