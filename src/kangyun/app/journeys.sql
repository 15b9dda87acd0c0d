-- What must be true of consultations, prescriptions, medicine and money taken together, whatever was retried, killed or lost.
-- Each query but `counts` gives what is wrong as (subject, detail); a whole region gives no row.

-- name: counts
SELECT kind, state, count(*) AS number, coalesce(sum(cash), 0)::bigint AS cash, coalesce(sum(total), 0)::bigint AS total
FROM internet_hospital_checkout GROUP BY kind, state ORDER BY kind, state;

-- name: unsettled
-- Nothing is left on its way: every checkout is closed, given back, or was never paid.
SELECT id AS subject, kind || ' ' || state AS detail FROM internet_hospital_checkout WHERE state NOT IN ('closed', 'cancelled', 'refunded') ORDER BY moved LIMIT 50;

-- name: two_ways
-- One prescription or consultation has one checkout that counts.
SELECT about AS subject, kind AS detail FROM internet_hospital_checkout WHERE state NOT IN ('cancelled', 'refunding', 'refunded')
GROUP BY kind, about HAVING count(*) > 1 LIMIT 50;

-- name: cash
-- What a closed checkout costs was paid once and kept; of one that went back nothing was kept; what nobody paid stands nowhere.
SELECT c.id AS subject, format('%s: confirmed %s, paid %s, given back %s', c.state, c.cash, o.paid_fen, o.refunded_fen) AS detail
FROM internet_hospital_checkout c LEFT JOIN payments_order o ON o.id = c.order_id
WHERE (c.state IN ('closed', 'dispatched', 'settled') AND (o.paid_fen IS DISTINCT FROM c.cash OR o.refunded_fen IS DISTINCT FROM 0))
   OR (c.state = 'refunded' AND o.paid_fen IS DISTINCT FROM o.refunded_fen)
   OR (c.state = 'cancelled' AND coalesce(o.paid_fen, 0) <> coalesce(o.refunded_fen, 0))
LIMIT 50;

-- name: orders
-- Every order of this room has its checkout, and one only.
SELECT o.id AS subject, format('%s checkouts', count(c.id)) AS detail
FROM payments_order o LEFT JOIN internet_hospital_checkout c ON c.order_id = o.id
WHERE o.source LIKE 'internet_hospital.%' AND o.state NOT IN ('expired', 'cancelled', 'outdated')
GROUP BY o.id HAVING count(c.id) <> 1 LIMIT 50;

-- name: money_back
-- Money that is to go back has gone back.
SELECT id AS subject, state AS detail FROM payments_refund WHERE state NOT IN ('done', 'declined') LIMIT 50;

-- name: twice
-- An order was paid by one payment; whatever else came for it went back.
SELECT p.order_id AS subject, format('%s payments kept', count(*)) AS detail FROM payments_payment p
WHERE p.state = 'paid' AND NOT p.excess GROUP BY p.order_id HAVING count(*) > 1
UNION ALL
SELECT p.id, 'paid without need and kept' FROM payments_payment p
WHERE p.excess AND p.state = 'paid' AND NOT EXISTS (SELECT FROM payments_refund r WHERE r.payment_id = p.id AND r.state = 'done')
LIMIT 50;

-- name: books
-- Each transaction of the books has two equal sides, and so has the whole.
SELECT transaction::text AS subject, sum(fen)::text AS detail FROM payments_posting GROUP BY transaction HAVING sum(fen) <> 0 LIMIT 50;

-- name: owed
-- What the books owe for this room's orders is what was paid less what was given back.
SELECT institution AS subject, format('orders say %s, books say %s', orders, books) AS detail FROM (
    SELECT o.institution, sum(o.paid_fen - o.refunded_fen)::bigint AS orders,
        -(SELECT coalesce(sum(p.fen), 0) FROM payments_posting p JOIN payments_transaction t ON t.id = p.transaction
          WHERE p.account = 'payable/' || o.institution AND t.kind IN ('paid', 'refund-granted', 'refund-failed'))::bigint AS books
    FROM payments_order o GROUP BY o.institution
) AS sides WHERE orders <> books LIMIT 50;

-- name: waiting_money
-- Nothing lies on the accounts on which money only passes.
SELECT account AS subject, sum(fen)::text AS detail FROM payments_posting
WHERE account LIKE 'excess/%' OR account LIKE 'refunding/%' GROUP BY account HAVING sum(fen) <> 0;

-- name: insurance
-- The insurer has confirmed what was confirmed to the resident, part by part; of what went back it keeps nothing.
SELECT c.id AS subject, format('%s, settlement %s', c.state, coalesce(s.state, 'absent')) AS detail
FROM internet_hospital_checkout c LEFT JOIN insurance_settlement s ON s.id = c.settlement
WHERE c.kind = 'medicine' AND (
    (c.state IN ('closed', 'dispatched', 'settled') AND (c.quote::jsonb ->> 'insured')::boolean AND (
        s.state IS DISTINCT FROM 'confirmed' OR s.cash <> c.cash OR s.total <> c.total
        OR s.fund <> (c.quote::jsonb -> 'parts' ->> 'fund')::bigint OR s.account <> (c.quote::jsonb -> 'parts' ->> 'account')::bigint))
    OR (c.state IN ('refunded', 'cancelled') AND s.state IS NOT NULL AND s.state NOT IN ('reversed', 'refused')))
LIMIT 50;

-- name: settlements
-- No settlement of this room stands for a checkout that does not.
SELECT s.id AS subject, s.state AS detail FROM insurance_settlement s
WHERE s.state NOT IN ('reversed', 'refused') AND EXISTS (SELECT FROM internet_hospital_checkout c WHERE c.id = s.key AND c.state IN ('refunded', 'cancelled'))
LIMIT 50;

-- name: medicine
-- What was paid for was handed over, whole and once; what was given back was not handed over.
SELECT c.about AS subject, format('%s, prescription %s', c.state, coalesce(p.state, 'absent')) AS detail
FROM internet_hospital_checkout c LEFT JOIN drugs_prescription p ON p.number = c.about
WHERE c.kind = 'medicine' AND (
    (c.state = 'closed' AND p.state IS DISTINCT FROM 'settled' AND p.state IS DISTINCT FROM 'archived')
    OR (c.state = 'refunded' AND p.state IN ('dispensed', 'partly', 'sent', 'delivered', 'settled')
        AND NOT EXISTS (SELECT FROM internet_hospital_checkout o WHERE o.kind = c.kind AND o.about = c.about AND o.state NOT IN ('cancelled', 'refunded'))))
LIMIT 50;

-- name: free_medicine
-- Nothing was dispensed that nobody has paid for here, if its way began here.
SELECT p.number AS subject, p.state AS detail FROM drugs_prescription p
WHERE p.setting = 'internet' AND p.state IN ('dispensed', 'partly', 'sent', 'delivered', 'settled', 'archived')
    AND NOT EXISTS (SELECT FROM internet_hospital_checkout c WHERE c.kind = 'medicine' AND c.about = p.number AND c.state IN ('dispatched', 'closed'))
LIMIT 50;

-- name: given
-- Each line was dispensed as it was prescribed: what left shelves is what was given, and never more than was wanted.
SELECT a.number AS subject, format('line %s: wanted %s, given %s, left shelves %s', a.line + 1, a.wanted, a.given, coalesce(d.amount, 0)) AS detail
FROM drugs_amount a LEFT JOIN (SELECT number, line, sum(amount) AS amount FROM drugs_dispensed GROUP BY number, line) d ON d.number = a.number AND d.line = a.line
JOIN drugs_prescription p ON p.number = a.number
WHERE a.given <> coalesce(d.amount, 0) OR a.given > a.wanted OR (p.state IN ('delivered', 'settled') AND p.setting = 'internet' AND a.given < a.wanted)
LIMIT 50;

-- name: work
-- No background work of the journey was given up, and none waits.
SELECT name AS subject, state || ' ' || coalesce(error, '') AS detail FROM job
WHERE split_part(name, '.', 1) IN ('internet_hospital', 'payments', 'insurance', 'drugs')
    AND (state = 'failed' OR (state IN ('waiting', 'running') AND key IS NOT NULL AND due < now() + interval '1 minute'))
LIMIT 50;
