-- Call off what $2 person and $3 kind name on the days $4 to $5, under the id $1, for the reason
-- $6, at $7, by $8. Needs lock_holds.
INSERT INTO cancellations (
    cancellation_id, person_id, kind, first_day, last_day, reason, cancelled_at, cancelled_by
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
