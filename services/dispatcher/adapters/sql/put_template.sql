-- Publish a text as the next version: $1 kind, $2 locale, $3 subject, $4 text, $5 HTML, $6 now
-- (calendar), $7 by whom. Under the lock of lock_texts.
INSERT INTO templates (version, kind, locale, subject, text, html, published_at, published_by)
SELECT coalesce(max(known.version), 0) + 1, $1, $2, $3, $4, $5, $6, $7
FROM templates AS known
RETURNING templates.version
