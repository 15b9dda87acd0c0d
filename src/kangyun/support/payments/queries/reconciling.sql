-- name: ours
SELECT 'payment' AS about, id, amount_fen, state, day IS NOT DISTINCT FROM $2 AND state = 'paid' AS counted
FROM payments_payment WHERE channel = $1 AND (day = $2 OR id = ANY ($3))
UNION ALL
SELECT 'refund', id, amount_fen, state, day IS NOT DISTINCT FROM $2 AND state = 'done'
FROM payments_refund WHERE channel = $1 AND (day = $2 OR id = ANY ($4));

-- name: shares
SELECT o.institution, sum(p.amount_fen)::bigint AS paid, 0::bigint AS back
FROM payments_payment AS p JOIN payments_order AS o ON o.resident = p.resident AND o.id = p.order_id
WHERE p.channel = $1 AND p.day = $2 AND p.state = 'paid' GROUP BY 1
UNION ALL
SELECT o.institution, 0, sum(r.amount_fen)::bigint
FROM payments_refund AS r JOIN payments_order AS o ON o.resident = r.resident AND o.id = r.order_id
WHERE r.channel = $1 AND r.day = $2 AND r.state = 'done' GROUP BY 1;

-- name: keep
INSERT INTO payments_reconciliation (channel, day, file, theirs_count, theirs_fen, theirs_refund_fen, fee_fen, ours_count, ours_fen, ours_refund_fen, made)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (channel, day) DO UPDATE SET ours_count = excluded.ours_count, ours_fen = excluded.ours_fen, ours_refund_fen = excluded.ours_refund_fen,
    made = excluded.made;

-- name: keep_difference
INSERT INTO payments_difference (channel, day, kind, about, subject, ours_fen, theirs_fen, ours, theirs, made)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: vanished
UPDATE payments_difference SET state = 'resolved', resolution = 'vanished', at = $4
WHERE channel = $1 AND day = $2 AND state = 'open' AND NOT (kind || '/' || about || '/' || subject = ANY ($3::text[]))
RETURNING id;

-- name: reconciliations
SELECT r.channel, r.day, r.theirs_count, r.theirs_fen, r.theirs_refund_fen, r.fee_fen, r.ours_count, r.ours_fen, r.ours_refund_fen, r.made,
    (SELECT count(*) FROM payments_difference AS d WHERE d.channel = r.channel AND d.day = r.day) AS differences,
    (SELECT count(*) FROM payments_difference AS d WHERE d.channel = r.channel AND d.day = r.day AND d.state = 'open') AS unresolved
FROM payments_reconciliation AS r ORDER BY r.day DESC, r.channel LIMIT $1;

-- name: reconciled
SELECT 1 FROM payments_reconciliation WHERE channel = $1 AND day = $2;

-- name: differences
SELECT * FROM payments_difference
WHERE ($1 = '' OR channel = $1) AND ($2::date IS NULL OR day = $2) AND ($3 = '' OR state = $3) ORDER BY state, day DESC, id LIMIT $4;

-- name: lock_difference
SELECT * FROM payments_difference WHERE id = $1 FOR UPDATE;

-- name: resolve
UPDATE payments_difference SET state = 'resolved', resolution = $2, note = $3, by_account = $4, at = $5 WHERE id = $1;

-- name: found_later
UPDATE payments_difference SET state = 'resolved', resolution = 'found', at = $3
WHERE channel = $1 AND kind = 'missing-there' AND state = 'open' AND about || '/' || subject = ANY ($2::text[])
RETURNING id;

-- name: is_ours
SELECT EXISTS (SELECT 1 FROM payments_payment WHERE id = $1) OR EXISTS (SELECT 1 FROM payments_refund WHERE id = $1);

-- name: not_reconciled
SELECT DISTINCT used.channel FROM (
    SELECT channel, day FROM payments_payment WHERE day = $2 AND channel = ANY ($1)
    UNION SELECT channel, day FROM payments_refund WHERE day = $2 AND channel = ANY ($1)
) AS used
WHERE NOT EXISTS (SELECT 1 FROM payments_reconciliation AS r WHERE r.channel = used.channel AND r.day = used.day)
ORDER BY 1;

-- name: doubtful_notices
SELECT at, channel, verdict, about FROM payments_channel_notice
WHERE verdict IN ('forged', 'amount', 'unknown') ORDER BY at DESC LIMIT $1;
