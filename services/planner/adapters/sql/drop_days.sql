-- Forget the days before $1, whose plan partitions are dropped, with their slices. The last day
-- stays in any case: it tells where opening has to go on.
DELETE FROM days WHERE local_day < $1 AND local_day < (SELECT max(last.local_day) FROM days AS last)
