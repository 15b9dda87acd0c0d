-- name: ask
INSERT INTO account_ward (id, number, account, guardian, ward, kind, document, document_number, state, asked, ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'asked', $9, $10)

-- name: of_account
SELECT w.id, w.number, w.ward, w.kind, w.document, w.state, w.asked, w.starts, w.ends
FROM account a JOIN account_ward w ON w.guardian = a.person
WHERE a.id = $1 AND w.ends > $2 AND (w.state = 'attested' OR (w.state = 'asked' AND w.asked > $3)) ORDER BY w.asked

-- name: in_force
SELECT w.id, w.number, w.ward, w.kind, w.document, w.state, w.asked, w.starts, w.ends
FROM account a JOIN account_ward w ON w.guardian = a.person
WHERE a.id = $1 AND w.ward = $2 AND w.state = 'attested' AND w.ends > $3 ORDER BY w.ends DESC LIMIT 1

-- name: of_ward
SELECT id, account, guardian, kind, document, state, starts, ends FROM account_ward
WHERE ward = $1 AND state = 'attested' AND ends > $2 ORDER BY starts

-- name: by_number
SELECT id, account, guardian, ward, kind, document, document_number, asked, ends FROM account_ward
WHERE number = $1 AND state = 'asked' AND asked > $2 AND ends > $3

-- name: attest
UPDATE account_ward SET state = $2, attested = $3, attested_by = $4, attested_at = $5, starts = $3
WHERE id = $1 AND state = 'asked' RETURNING account, ward

-- name: end_one
UPDATE account_ward SET state = 'ended', ends = least(ends, $2)
WHERE id = $1 AND (guardian = $3 OR ward = $4) AND state IN ('asked', 'attested') RETURNING guardian, ward
