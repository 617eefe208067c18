-- List up to $2 published versions below $1, the newest first, each with whether it holds now.
-- Reads templates_pkey backwards.
SELECT
    template.version, template.kind, template.locale, template.subject, template.text,
    template.html, template.published_at, template.published_by,
    template.version IS NOT DISTINCT FROM (
        SELECT choice.version
        FROM template_choices AS choice
        WHERE choice.kind = template.kind AND choice.locale = template.locale
        ORDER BY choice.position DESC
        LIMIT 1
    ) AS is_active
FROM templates AS template
WHERE template.version < $1
ORDER BY template.version DESC
LIMIT $2
