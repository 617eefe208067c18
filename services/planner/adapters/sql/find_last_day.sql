-- The last day ever opened, NULL on a first start.
SELECT max(local_day) FROM days
