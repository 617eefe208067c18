-- Return the published text that holds for the kind $1 and the locale $2; no row where what ships
-- does, or none was ever chosen.
SELECT
    chosen.version, template.kind, template.locale, template.subject, template.text, template.html
FROM (
    SELECT choice.version
    FROM template_choices AS choice
    WHERE choice.kind = $1 AND choice.locale = $2
    ORDER BY choice.position DESC
    LIMIT 1
) AS chosen
JOIN templates AS template ON template.version = chosen.version
