-- Remember that caller $1 was answered $3 (status), $4 (headers), $5 (body) under key $2.
UPDATE remembered_answers
SET status = $3, headers = $4::text::jsonb, body = $5
WHERE caller = $1 AND key = $2 AND status IS NULL
