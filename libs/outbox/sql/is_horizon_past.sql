-- Tell whether every transaction up to the noted id $1 has ended.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > $1 AS is_past
