-- name: put
INSERT INTO drugs_prescription (
    resident, number, patient, encounter, institution, practitioner, kind, sheet, setting, control, lines, state, version, made, signed,
    valid_until, review_due, claimed_until, reviewer, asked, way, pharmacy, courier, address, lock_until, lock_key, paid, code_salt, code_tries,
    cold, keep_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29,
    $30, $31)

-- name: save
-- The row of a prescription and the step that has changed it.
WITH saved AS (
    INSERT INTO drugs_step (resident, number, version, event, state, at, actor, institution) VALUES ($1, $2, $4, $21, $3, $22, $23, $24)
)
UPDATE drugs_prescription SET
    state = $3, version = $4, signed = $5, valid_until = $6, review_due = $7, claimed_until = $8, reviewer = $9, asked = $10, way = $11,
    pharmacy = $12, courier = $13, address = $14, lock_until = $15, lock_key = $16, paid = $17, code_salt = $18, code_tries = $19,
    keep_until = $20
WHERE resident = $1 AND number = $2

-- name: step
INSERT INTO drugs_step (resident, number, version, event, state, at, actor, institution) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: one
SELECT * FROM drugs_prescription WHERE number = $1

-- name: hold
SELECT * FROM drugs_prescription WHERE number = $1 FOR UPDATE

-- name: next_in_pool
SELECT * FROM drugs_prescription
WHERE (state = 'signed' OR (state = 'claimed' AND claimed_until < $1)) AND practitioner <> $2 AND valid_until > $1
ORDER BY (reviewer = $2 AND asked) DESC, review_due, number LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: pool
SELECT * FROM drugs_prescription WHERE state IN ('signed', 'claimed', 'confirming') AND valid_until > $1 ORDER BY review_due, number LIMIT $2

-- name: steps
SELECT version, event, state, at, actor, institution FROM drugs_step WHERE number = $1 ORDER BY version

-- name: of_practitioner
SELECT * FROM drugs_prescription WHERE practitioner = $1 ORDER BY made DESC LIMIT $2

-- name: of_encounter
SELECT * FROM drugs_prescription WHERE patient = ANY ($1::text[]) AND encounter = $2 ORDER BY made DESC LIMIT 50

-- name: of_patients
SELECT * FROM drugs_prescription WHERE patient = ANY ($1::text[]) AND state <> 'draft' ORDER BY made DESC LIMIT $2

-- name: of_pharmacy
SELECT * FROM drugs_prescription WHERE pharmacy = $1 AND state = ANY ($2::text[]) ORDER BY made DESC LIMIT $3

-- name: overdue
SELECT number FROM drugs_prescription
WHERE state IN ('signed', 'claimed', 'confirming', 'passed', 'circulated', 'locked') AND valid_until < $1 ORDER BY valid_until LIMIT $2

-- name: old_locks
SELECT number FROM drugs_prescription WHERE state = 'locked' AND lock_until < $1 AND valid_until >= $1 ORDER BY lock_until LIMIT $2

-- name: to_archive
SELECT number FROM drugs_prescription WHERE state IN ('delivered', 'settled', 'taken_back') AND keep_until < $1 ORDER BY keep_until LIMIT $2

-- name: put_amount
INSERT INTO drugs_amount (resident, number, line, code, wanted) VALUES ($1, $2, $3, $4, $5)

-- name: amounts
SELECT line, code, wanted, given, other, agreed FROM drugs_amount WHERE number = $1 ORDER BY line

-- name: offer
UPDATE drugs_amount SET other = $4, agreed = NULL WHERE resident = $1 AND number = $2 AND line = $3

-- name: agree
UPDATE drugs_amount SET agreed = $3 WHERE resident = $1 AND number = $2 AND other <> '' AND agreed IS NULL

-- name: forget_offers
UPDATE drugs_amount SET other = '', agreed = NULL WHERE resident = $1 AND number = $2

-- name: dispensed
SELECT line, key, code, amount, pharmacy, batch, expires, at FROM drugs_dispensed WHERE number = $1 ORDER BY at, line

-- name: put_favourite
INSERT INTO drugs_favourite (practitioner, code, line, last) VALUES ($1, $2, $3, $4)
ON CONFLICT (practitioner, code) DO UPDATE SET line = EXCLUDED.line, used = drugs_favourite.used + 1, last = EXCLUDED.last

-- name: favourites
SELECT code, line, used FROM drugs_favourite WHERE practitioner = $1 ORDER BY used DESC, last DESC LIMIT $2

-- name: drop_favourite
DELETE FROM drugs_favourite WHERE practitioner = $1 AND code = $2

-- name: count_try
UPDATE drugs_prescription SET code_tries = code_tries + 1 WHERE resident = $1 AND number = $2

-- name: addresses_after
SELECT resident, number, address FROM drugs_prescription WHERE number > $1 AND address <> '' ORDER BY number LIMIT $2

-- name: keep_address
UPDATE drugs_prescription SET address = $4 WHERE resident = $1 AND number = $2 AND address = $3
