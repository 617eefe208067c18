-- Note the kinds $1 as not filed yet where they are new. Harmless beside copies of itself.
INSERT INTO kinds (kind)
SELECT kind FROM unnest($1::text[]) AS kind
ON CONFLICT (kind) DO NOTHING
