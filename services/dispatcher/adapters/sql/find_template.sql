-- Return the published version $1.
SELECT
    template.version, template.kind, template.locale, template.subject, template.text,
    template.html
FROM templates AS template
WHERE template.version = $1
