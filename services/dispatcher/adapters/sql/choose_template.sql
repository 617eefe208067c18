-- Let the version $3 (NULL: what ships) hold for the kind $1 and the locale $2; $4 now (calendar),
-- $5 by whom. Under the lock of lock_texts.
INSERT INTO template_choices (position, kind, locale, version, chosen_at, chosen_by)
SELECT coalesce(max(known.position), 0) + 1, $1, $2, $3, $4, $5
FROM template_choices AS known
RETURNING template_choices.position
