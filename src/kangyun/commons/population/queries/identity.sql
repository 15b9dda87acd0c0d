-- name: by_numbers
SELECT patient FROM identity WHERE numbers && $1::bigint[] AND source = $2 ORDER BY patient

-- name: by_numbers_each
SELECT place, patient FROM identity_own($1::text[], $2::text[])

-- name: of_patients
SELECT patient, person, source, assurance, version, numbers, ids, features FROM identity WHERE resident = ANY($1::bigint[])

-- name: of_persons
SELECT patient, person, source, assurance, version, numbers, ids, features FROM identity WHERE person = ANY($1::text[])
ORDER BY person, updated, patient

-- name: around
SELECT patient, person, source, assurance, version, numbers, features, judged
FROM identity_arrival($1::text::bigint[], $2::text::bigint[], $3::text::bigint[], $4::text::bigint[], $5::text, $6::integer)

-- name: around_each
-- As around, for several Patients of one transaction: the locks of all are taken with the first.
SELECT u.place, a.patient, a.person, a.source, a.assurance, a.version, a.numbers, a.features, a.judged
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS u(keys, numbers, residents, person, place)
CROSS JOIN LATERAL identity_arrival(CASE WHEN u.place = 1 THEN $1::text::bigint[] ELSE '{}' END, u.keys::bigint[],
    u.numbers::bigint[], u.residents::bigint[], u.person, $6::integer) a

-- name: put
INSERT INTO identity (resident, patient, person, source, assurance, version, numbers, ids, keys, features, updated)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::bigint[], $8, $9::text::bigint[], $10, $11)
ON CONFLICT (resident, patient) DO UPDATE SET person = excluded.person, source = excluded.source,
    assurance = excluded.assurance, version = excluded.version, numbers = excluded.numbers, ids = excluded.ids,
    keys = excluded.keys, features = excluded.features, updated = excluded.updated

-- name: put_all
-- As put, for several.
INSERT INTO identity (resident, patient, person, source, assurance, version, numbers, ids, keys, features, updated)
SELECT resident, patient, person, source, assurance, version, numbers::bigint[], '{}', keys::bigint[], features, updated
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::integer[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[]) AS u(resident, patient, person, source, assurance, version, numbers, keys, features, updated)
ON CONFLICT (resident, patient) DO UPDATE SET person = excluded.person, source = excluded.source,
    assurance = excluded.assurance, version = excluded.version, numbers = excluded.numbers, ids = excluded.ids,
    keys = excluded.keys, features = excluded.features, updated = excluded.updated

-- name: move
UPDATE identity SET person = $2, assurance = coalesce($3, assurance) WHERE resident = ANY($1::bigint[])

-- name: join_persons
UPDATE identity SET person = $2 WHERE person = ANY($1::text[])

-- name: remove
DELETE FROM identity WHERE resident = $1

-- name: judged
SELECT first, second, state FROM candidate
WHERE state <> 'open' AND (resident = ANY($1::bigint[]) OR other = ANY($1::bigint[]))

-- name: propose
INSERT INTO candidate (resident, other, first, second, bits, evidence, state, found)
VALUES ($1, $2, $3, $4, $5, $6, 'open', $7)
ON CONFLICT (resident, other) DO UPDATE SET bits = excluded.bits, evidence = excluded.evidence
WHERE candidate.state = 'open'

-- name: decide
INSERT INTO candidate (resident, other, first, second, bits, evidence, state, found, decided, decided_by)
VALUES ($1, $2, $3, $4, 0, 'null', $5, $6, $6, $7)
ON CONFLICT (resident, other) DO UPDATE SET state = excluded.state, decided = excluded.decided,
    decided_by = excluded.decided_by

-- name: forget_open
DELETE FROM candidate WHERE state = 'open' AND (resident = $1 OR other = $1)

-- name: settle_open
DELETE FROM candidate c USING identity a, identity b
WHERE c.state = 'open' AND a.resident = c.resident AND b.resident = c.other AND a.person = b.person AND a.person = $1

-- name: queue
SELECT resident, other, first, second, bits, evidence, state, found, decided, decided_by FROM candidate
WHERE state = 'open' ORDER BY bits DESC, resident OFFSET $1 LIMIT $2

-- name: pair
SELECT resident, other, first, second, bits, evidence, state, found, decided, decided_by FROM candidate
WHERE resident = $1 AND other = $2

-- name: decisions
SELECT resident, other, first, second, bits, evidence, state, found, decided, decided_by FROM candidate
WHERE decided IS NOT NULL ORDER BY decided DESC OFFSET $1 LIMIT $2

-- name: counts
SELECT state, count(*) AS number FROM candidate GROUP BY state

-- name: touch
UPDATE identity SET source = $3, assurance = $4, version = $5, numbers = $6::text::bigint[], ids = $7, keys = $8::text::bigint[],
    features = $9, updated = $10
WHERE resident = $1 AND person = $2
RETURNING patient
