-- name: put
INSERT INTO internet_hospital_checkout
    (resident, id, kind, about, patient, payer, institution, state, quote, cash, total, opened, expires, moved)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12)
ON CONFLICT DO NOTHING RETURNING *;

-- name: one
SELECT * FROM internet_hospital_checkout WHERE resident = $1 AND id = $2;

-- name: named
SELECT * FROM internet_hospital_checkout WHERE id = $1;

-- name: standing
-- The one that is on its way for a consultation or a prescription.
SELECT * FROM internet_hospital_checkout WHERE kind = $1 AND about = $2 AND state NOT IN ('cancelled', 'refunding', 'refunded');

-- name: last_about
SELECT * FROM internet_hospital_checkout WHERE kind = $1 AND about = $2 ORDER BY opened DESC LIMIT 1;

-- name: of_order
SELECT * FROM internet_hospital_checkout WHERE order_id = $1;

-- name: of_settlement
SELECT * FROM internet_hospital_checkout WHERE settlement = $1;

-- name: move
UPDATE internet_hospital_checkout SET state = $4, moved = $5, reason = coalesce($6, reason), settlement = coalesce($7, settlement)
WHERE resident = $1 AND id = $2 AND state = $3 RETURNING id;

-- name: set_order
UPDATE internet_hospital_checkout SET order_id = $3 WHERE resident = $1 AND id = $2 RETURNING *;

-- name: waiting
-- What should have moved on by itself, and what nobody has paid in time.
SELECT resident, id FROM internet_hospital_checkout
WHERE (state IN ('paid', 'settling', 'settled', 'reversing', 'refunding') AND moved < $1) OR (state = 'unpaid' AND expires < $2)
ORDER BY moved LIMIT $3;
