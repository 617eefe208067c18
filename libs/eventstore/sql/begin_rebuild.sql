-- Begin at the beginning, unless a rebuild is under way; return whether it begins.
INSERT INTO rebuild (phase) VALUES ('reading')
ON CONFLICT (is_only) DO UPDATE SET phase = 'reading', after = NULL, events = 0
WHERE rebuild.phase = 'done'
RETURNING TRUE
