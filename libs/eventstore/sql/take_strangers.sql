-- Take up to $1 streams that are held here and that the log does not know, with the version held.
DELETE FROM rebuild_streams
WHERE rebuild_streams.stream_id IN (
    SELECT stranger.stream_id FROM rebuild_streams AS stranger WHERE stranger.version = 0 LIMIT $1
)
RETURNING rebuild_streams.stream_id, rebuild_streams.held
