-- Begin at the beginning, in place of whatever was begun before.
INSERT INTO rebuild (phase) VALUES ('reading')
ON CONFLICT (is_only) DO UPDATE SET phase = 'reading', after = NULL, events = 0
