-- name: place
INSERT INTO payments_order (resident, id, key, person, patient, institution, source, state, lines, total_fen, made, expires, paid)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13)
ON CONFLICT (resident, key) DO NOTHING
RETURNING id;

-- name: order_by_key
SELECT * FROM payments_order WHERE resident = $1 AND key = $2;

-- name: person_by_key
SELECT person FROM payments_order WHERE key = $1 LIMIT 1;

-- name: order_by_id
SELECT * FROM payments_order WHERE id = $1;

-- name: lock_order
SELECT * FROM payments_order WHERE id = $1 FOR UPDATE;

-- name: lock_order_of_payment
SELECT * FROM payments_order WHERE id = (SELECT order_id FROM payments_payment WHERE id = $1) FOR UPDATE;

-- name: lock_order_of_refund
SELECT * FROM payments_order WHERE id = (SELECT order_id FROM payments_refund WHERE id = $1) FOR UPDATE;

-- name: about_order
-- A statement of its own behind the lock: that one sees what was there before it waited.
SELECT ARRAY(SELECT p FROM payments_payment AS p WHERE p.order_id = $1 ORDER BY p.id) AS payments,
    ARRAY(SELECT r FROM payments_refund AS r WHERE r.order_id = $1 ORDER BY r.made, r.id) AS refunds;

-- name: change_order
UPDATE payments_order SET state = $3, paid_fen = $4, refunded_fen = $5, paid = $6, reason = $7 WHERE resident = $1 AND id = $2;

-- name: orders_of_person
SELECT * FROM payments_order WHERE resident = $1 ORDER BY made DESC LIMIT $2;

-- name: orders_of_institution
SELECT * FROM payments_order
WHERE ($1 = '' OR institution = $1) AND ($2 = '' OR state = $2) AND ($3 = '' OR id = $3)
ORDER BY made DESC LIMIT $4;

-- name: due_orders
SELECT id FROM payments_order WHERE state IN ('open', 'paying') AND expires <= $1 ORDER BY expires LIMIT $2;

-- name: begin
INSERT INTO payments_payment (resident, id, order_id, channel, scene, state, amount_fen, made, expires, look_at)
VALUES ($1, $2, $3, $4, $5, 'asked', $6, $7, $8, $9);

-- name: payments_of
SELECT * FROM payments_payment WHERE order_id = $1 ORDER BY id;

-- name: payment_by_id
SELECT * FROM payments_payment WHERE id = $1;

-- name: keep_link
UPDATE payments_payment SET link = $3 WHERE resident = $1 AND id = $2;

-- name: payment_closed
UPDATE payments_payment SET state = 'closed', look_at = NULL WHERE resident = $1 AND id = $2 AND state = 'asked' RETURNING id;

-- name: payment_paid
UPDATE payments_payment SET state = 'paid', number = $3, paid = $4, day = $5, excess = $6, look_at = NULL WHERE resident = $1 AND id = $2;

-- name: payment_disputed
UPDATE payments_payment SET state = 'disputed', number = $3, look_at = NULL WHERE resident = $1 AND id = $2 AND state = 'asked';

-- name: payment_doubted
UPDATE payments_payment SET look_at = $3 WHERE resident = $1 AND id = $2 AND state = 'asked';

-- name: due_payments
UPDATE payments_payment AS one SET looks = one.looks + 1, look_at = $1::timestamptz + make_interval(secs => least($3, $4 * power(2, one.looks + 1)))
FROM (SELECT resident, id FROM payments_payment WHERE look_at <= $1 ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
WHERE one.resident = due.resident AND one.id = due.id
RETURNING one.*;

-- name: grant_refund
INSERT INTO payments_refund (resident, id, order_id, payment_id, channel, key, state, amount_fen, reason, asked_by, made, look_at, excess)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: refund_by_key
SELECT * FROM payments_refund WHERE resident = $1 AND key = $2;

-- name: refund_by_id
SELECT * FROM payments_refund WHERE id = $1;

-- name: refunds_of
SELECT * FROM payments_refund WHERE order_id = $1 ORDER BY made, id;

-- name: refunds_asked
SELECT r.* FROM payments_refund AS r JOIN payments_order AS o ON o.resident = r.resident AND o.id = r.order_id
WHERE r.state = 'asked' AND ($1 = '' OR o.institution = $1) ORDER BY r.made LIMIT $2;

-- name: change_refund
UPDATE payments_refund SET state = $3, number = $4, done = $5, day = $6, look_at = $7, reason = $8 WHERE resident = $1 AND id = $2;

-- name: due_refunds
UPDATE payments_refund AS one SET looks = one.looks + 1, look_at = $1::timestamptz + make_interval(secs => least($3, $4 * power(2, one.looks + 1)))
FROM (SELECT resident, id FROM payments_refund WHERE look_at <= $1 ORDER BY look_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
WHERE one.resident = due.resident AND one.id = due.id
RETURNING one.*;

-- name: note_channel
INSERT INTO payments_channel_notice (at, channel, verdict, about, digest) VALUES ($1, $2, $3, $4, $5);

-- name: forget_channel_notices
DELETE FROM payments_channel_notice WHERE at < $1;
