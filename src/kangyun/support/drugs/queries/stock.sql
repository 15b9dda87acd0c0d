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
UPDATE drugs_stock SET amount = amount - $3, changed = $4
WHERE pharmacy = $1 AND code = $2 AND amount >= $3 AND (expires IS NULL OR expires >= $5) RETURNING batch, expires

-- name: give_back
UPDATE drugs_stock SET amount = amount + $3, changed = $4 WHERE pharmacy = $1 AND code = $2
