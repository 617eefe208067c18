-- Take the cursor for this transaction; no row when another relay holds it.
SELECT cursor.id
FROM outbox_cursor AS cursor
WHERE cursor.id = 1
FOR UPDATE SKIP LOCKED
