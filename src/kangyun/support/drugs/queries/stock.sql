-- name: shelf
SELECT code, amount, batch, expires FROM drugs_stock WHERE pharmacy = $1 ORDER BY code

-- name: amounts
SELECT code, amount FROM drugs_stock WHERE pharmacy = $1 AND code = ANY ($2::text[]) AND (expires IS NULL OR expires >= $3)

-- name: having
SELECT pharmacy, code, amount FROM drugs_stock WHERE pharmacy = ANY ($1::text[]) AND code = ANY ($2::text[]) AND (expires IS NULL OR expires >= $3)

-- name: put
INSERT INTO drugs_stock (pharmacy, code, amount, batch, expires, changed) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (pharmacy, code) DO UPDATE SET amount = EXCLUDED.amount, batch = EXCLUDED.batch, expires = EXCLUDED.expires, changed = EXCLUDED.changed

-- name: take
-- From the shelf, under the key of the request, and off the line's rest: all three, or none where there is too little.
WITH taken AS (
    UPDATE drugs_stock SET amount = amount - $6, changed = $8
    WHERE pharmacy = $7 AND code = $5 AND amount >= $6 AND (expires IS NULL OR expires >= $9) RETURNING batch, expires
), written AS (
    INSERT INTO drugs_dispensed (resident, number, line, key, code, amount, pharmacy, batch, expires, at)
    SELECT $1, $2, $3, $4, $5, $6, $7, batch, expires, $8 FROM taken
), given AS (
    UPDATE drugs_amount SET given = given + $6 WHERE resident = $1 AND number = $2 AND line = $3 AND EXISTS (SELECT FROM taken)
)
SELECT expires FROM taken

-- name: give_back
UPDATE drugs_stock SET amount = amount + $3, changed = $4 WHERE pharmacy = $1 AND code = $2
