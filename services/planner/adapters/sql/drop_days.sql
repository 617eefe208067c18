-- Forget the days before $1, whose plan partitions are dropped, with their slices.
DELETE FROM days WHERE local_day < $1
