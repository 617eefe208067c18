-- List the published texts that held as of the choice $1, one per kind and language at most.
SELECT
    chosen.version, template.kind, template.locale, template.subject, template.text, template.html
FROM (
    SELECT DISTINCT ON (choice.kind, choice.locale) choice.version
    FROM template_choices AS choice
    WHERE choice.position <= $1
    ORDER BY choice.kind, choice.locale, choice.position DESC
) AS chosen
JOIN templates AS template ON template.version = chosen.version
