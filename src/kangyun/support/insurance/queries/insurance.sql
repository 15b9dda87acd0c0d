-- name: so_far
SELECT outpatient_deductible, outpatient_base, outpatient_fund, chronic_deductible, chronic_base, chronic_fund, inpatient_deductible,
    inpatient_base, inpatient_fund, in_range, serious, supplement, aid_base, aid, admissions, account
FROM insurance_year WHERE resident = $1 AND member = $2 AND year = $3

-- name: account_before
SELECT account FROM insurance_year WHERE resident = $1 AND member = $2 AND year < $3 ORDER BY year DESC LIMIT 1

-- name: open_year
INSERT INTO insurance_year (resident, member, year, insurer, account)
VALUES ($1, $2, $3, $4, COALESCE((SELECT y.account FROM insurance_year y WHERE y.resident = $1 AND y.member = $2 AND y.year < $3 ORDER BY y.year DESC LIMIT 1), 0))
ON CONFLICT DO NOTHING

-- name: lock_year
SELECT outpatient_deductible, outpatient_base, outpatient_fund, chronic_deductible, chronic_base, chronic_fund, inpatient_deductible,
    inpatient_base, inpatient_fund, in_range, serious, supplement, aid_base, aid, admissions, account
FROM insurance_year WHERE resident = $1 AND member = $2 AND year = $3 FOR UPDATE

-- name: put_year
UPDATE insurance_year SET outpatient_deductible = $4, outpatient_base = $5, outpatient_fund = $6, chronic_deductible = $7, chronic_base = $8,
    chronic_fund = $9, inpatient_deductible = $10, inpatient_base = $11, inpatient_fund = $12, in_range = $13, serious = $14, supplement = $15,
    aid_base = $16, aid = $17, admissions = $18, account = $19
WHERE resident = $1 AND member = $2 AND year = $3

-- name: asked
UPDATE insurance_year SET asked = $4 WHERE resident = $1 AND member = $2 AND year = $3

-- name: years
SELECT * FROM insurance_year WHERE resident = $1 AND member = $2 ORDER BY year DESC

-- name: members
SELECT * FROM insurance_year WHERE insurer = $1 AND year = $2 AND ($3 = '' OR member = $3) ORDER BY inpatient_fund + outpatient_fund + chronic_fund DESC, member LIMIT 100

-- name: unsettled
SELECT count(*) FROM insurance_settlement WHERE resident = $1 AND member = $2 AND year = $3 AND state IN ('pending', 'reversing', 'differs')

-- name: add_settlement
INSERT INTO insurance_settlement (resident, id, key, state, member, year, patient, insurer, place, scene, day, made, changed, total, fund, serious,
    supplement, aid, account, cash, figures, change)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)

-- name: by_key
SELECT * FROM insurance_settlement WHERE resident = $1 AND key = $2

-- name: by_id
SELECT * FROM insurance_settlement WHERE id = $1

-- name: lock_settlement
SELECT * FROM insurance_settlement WHERE resident = $1 AND id = $2 FOR UPDATE

-- name: put_state
UPDATE insurance_settlement SET state = $3, changed = $4, reply = CASE WHEN $5 = '' THEN reply ELSE $5 END, note = $6, theirs = COALESCE($7, theirs)
WHERE resident = $1 AND id = $2

-- name: of_person
SELECT * FROM insurance_settlement WHERE resident = $1 ORDER BY made DESC LIMIT 200

-- name: of_insurer
SELECT * FROM insurance_settlement
WHERE insurer = $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR place = $3) AND made < $4 ORDER BY made DESC LIMIT $5

-- name: of_day
SELECT * FROM insurance_settlement WHERE insurer = $1 AND day = $2

-- name: stuck
SELECT resident, id, state FROM insurance_settlement WHERE state IN ('pending', 'reversing') AND changed < $1 ORDER BY changed LIMIT 500

-- name: insurers_of_day
SELECT DISTINCT insurer FROM insurance_settlement WHERE day = $1

-- name: clearing
INSERT INTO insurance_clearing (insurer, day, made, ours, theirs, differences) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (insurer, day) DO UPDATE SET made = EXCLUDED.made, ours = EXCLUDED.ours, theirs = EXCLUDED.theirs, differences = EXCLUDED.differences

-- name: clearings
SELECT * FROM insurance_clearing WHERE insurer = $1 ORDER BY day DESC LIMIT 60

-- name: add_difference
INSERT INTO insurance_difference (insurer, day, settlement, kind, ours, theirs, found) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (insurer, day, settlement, kind) DO UPDATE SET ours = EXCLUDED.ours, theirs = EXCLUDED.theirs

-- name: mended
UPDATE insurance_difference SET state = 'mended' WHERE insurer = $1 AND day = $2 AND state = 'open' AND NOT (settlement || '/' || kind = ANY ($3::text[]))

-- name: differences
SELECT * FROM insurance_difference WHERE insurer = $1 AND ($2::date IS NULL OR day = $2) ORDER BY (state <> 'open'), day DESC, settlement LIMIT 300

-- name: explain_difference
UPDATE insurance_difference SET state = 'explained', settled_by = $5, note = $6
WHERE insurer = $1 AND day = $2 AND settlement = $3 AND kind = $4 AND state = 'open' RETURNING settlement

-- name: add_finding
INSERT INTO insurance_finding (resident, id, settlement, rule, number, result, stage, state, lines, amount, facts, patient, insurer, place, doctor, made, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)
ON CONFLICT (resident, settlement, rule) DO NOTHING RETURNING id

-- name: finding
SELECT * FROM insurance_finding WHERE id = $1

-- name: lock_finding
SELECT * FROM insurance_finding WHERE resident = $1 AND id = $2 FOR UPDATE

-- name: put_finding
UPDATE insurance_finding SET state = $3, changed = $4, task = CASE WHEN $5 = '' THEN task ELSE $5 END WHERE resident = $1 AND id = $2

-- name: findings_of_insurer
SELECT * FROM insurance_finding WHERE insurer = $1 AND ($2 = '' OR state = $2)
ORDER BY (state NOT IN ('appealed', 'open')), (state = 'open'), (result <> 'violation'), amount DESC, made DESC LIMIT 200

-- name: findings_of_place
SELECT * FROM insurance_finding WHERE place = $1 AND ($2 = '' OR state = $2)
ORDER BY (state <> 'open'), (result <> 'violation'), made DESC LIMIT 200

-- name: findings_of_settlement
SELECT * FROM insurance_finding WHERE settlement = $1 ORDER BY number

-- name: lapsed
SELECT resident, id FROM insurance_finding WHERE state = 'open' AND made < $1 LIMIT 1000

-- name: sums
SELECT day, count(*) AS number, sum(total)::bigint AS total, sum(fund + serious + supplement + aid)::bigint AS insurance, sum(account)::bigint AS account,
    sum(cash)::bigint AS cash
FROM insurance_settlement WHERE insurer = $1 AND day >= $2 AND state NOT IN ('reversing', 'reversed', 'refused') GROUP BY day ORDER BY day

-- name: sums_of_places
SELECT place, count(*) AS number, sum(total)::bigint AS total, sum(fund + serious + supplement + aid)::bigint AS insurance
FROM insurance_settlement WHERE insurer = $1 AND day >= $2 AND state NOT IN ('reversing', 'reversed', 'refused') GROUP BY place ORDER BY 4 DESC LIMIT 30

-- name: finding_counts
SELECT rule, number AS kind, count(*) AS number, count(*) FILTER (WHERE state = 'withdrawn') AS withdrawn, sum(amount)::bigint AS amount
FROM insurance_finding WHERE insurer = $1 AND made >= $2 GROUP BY rule, number ORDER BY 3 DESC

-- name: states
SELECT state, count(*) AS number FROM insurance_settlement WHERE insurer = $1 AND day >= $2 GROUP BY state ORDER BY state
