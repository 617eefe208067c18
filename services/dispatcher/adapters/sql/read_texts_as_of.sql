-- Return the number of the last choice of a text; 0 where none was made. Reads the end of
-- template_choices_pkey.
SELECT coalesce(max(choice.position), 0) AS texts_as_of FROM template_choices AS choice
