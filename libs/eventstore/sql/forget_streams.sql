-- Forget which streams there were.
TRUNCATE rebuild_streams
