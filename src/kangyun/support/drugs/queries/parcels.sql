-- name: put
INSERT INTO drugs_parcel (resident, id, number, patient, pharmacy, courier, carrier, state, storage, made, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)

-- name: one
SELECT * FROM drugs_parcel WHERE id = $1

-- name: hold
SELECT * FROM drugs_parcel WHERE id = $1 FOR UPDATE

-- name: save
UPDATE drugs_parcel SET state = $3, carrier = $4, changed = $5 WHERE resident = $1 AND id = $2

-- name: of_courier
SELECT * FROM drugs_parcel WHERE courier = $1 AND state = ANY ($2::text[]) ORDER BY made LIMIT $3

-- name: of_number
SELECT * FROM drugs_parcel WHERE number = $1 ORDER BY made DESC LIMIT 1

-- name: put_temperature
INSERT INTO drugs_temperature (resident, parcel, at, celsius) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: temperatures
SELECT at, celsius FROM drugs_temperature WHERE parcel = $1 ORDER BY at, celsius
