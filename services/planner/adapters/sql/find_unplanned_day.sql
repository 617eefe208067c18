-- The first day whose planning is not finished, and how many days are open. Days that were never
-- opened count as unplanned: the day after the last one.
SELECT
    coalesce(
        min(local_day) FILTER (WHERE planned_at IS NULL AND closed_at IS NULL),
        max(local_day) + 1
    ) AS local_day,
    count(*) FILTER (WHERE closed_at IS NULL) AS open_days
FROM days
