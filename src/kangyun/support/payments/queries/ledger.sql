-- name: open_accounts
INSERT INTO payments_account (code) SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING;

-- name: post
WITH made AS (
    INSERT INTO payments_transaction (kind, reference, at, day) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kind, reference) DO NOTHING
    RETURNING id
)
INSERT INTO payments_posting (transaction, place, account, fen)
SELECT made.id, side.place, side.account, side.fen
FROM made, unnest($5::text[], $6::bigint[]) WITH ORDINALITY AS side (account, fen, place)
RETURNING transaction;

-- name: balances
SELECT account, sum(fen)::bigint AS fen, count(*) AS postings FROM payments_posting GROUP BY account ORDER BY account;

-- name: balance
SELECT coalesce(sum(fen), 0)::bigint FROM payments_posting WHERE account = $1;

-- name: owed
SELECT substr(p.account, 9) AS institution, -sum(p.fen)::bigint AS fen
FROM payments_posting AS p JOIN payments_transaction AS t ON t.id = p.transaction
WHERE p.account LIKE 'payable/%' AND (t.day <= $1 OR t.kind = 'to-transfer')
GROUP BY p.account HAVING sum(p.fen) <> 0 ORDER BY p.account;

-- name: entries
SELECT t.id, t.kind, t.reference, t.at, t.day, p.fen
FROM payments_posting AS p JOIN payments_transaction AS t ON t.id = p.transaction
WHERE p.account = $1 ORDER BY t.id DESC LIMIT $2;

-- name: unbalanced
SELECT transaction FROM payments_posting GROUP BY transaction HAVING sum(fen) <> 0 LIMIT 1;

-- name: place_settlement
INSERT INTO payments_settlement (id, institution, day, amount_fen, state, made) VALUES ($1, $2, $3, $4, 'made', $5)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: lock_settlement
SELECT * FROM payments_settlement WHERE id = $1 FOR UPDATE;

-- name: settlement_paid
UPDATE payments_settlement SET state = 'paid', bank_reference = $2, paid = $3 WHERE id = $1;

-- name: settlements
SELECT * FROM payments_settlement WHERE $1 = '' OR institution = $1 ORDER BY day DESC, institution LIMIT $2;
