-- name: everybody
SELECT resident, patient, person, features, keys FROM identity WHERE (resident, patient) > ($1, $2) ORDER BY resident, patient LIMIT $3

-- name: judged
SELECT resident, other, state FROM candidate WHERE state <> 'open'

-- name: number
SELECT count(*) FROM identity

-- name: placed
SELECT patient FROM identity WHERE resident = ANY($1::bigint[])

-- name: put
-- Arrays of arrays come as literals. Whoever placed one of them meanwhile is found out by the Person.
INSERT INTO identity (resident, patient, person, source, assurance, version, numbers, ids, keys, features, updated)
SELECT u.resident, u.patient, u.person, u.source, u.assurance, u.version, u.numbers::bigint[], '{}', u.keys::bigint[], u.features, $10
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::integer[], $7::text[], $8::text[], $9::text[])
    AS u(resident, patient, person, source, assurance, version, numbers, keys, features)
ON CONFLICT (resident, patient) DO UPDATE SET person = excluded.person, source = excluded.source,
    assurance = excluded.assurance, version = excluded.version, numbers = excluded.numbers, ids = excluded.ids,
    keys = excluded.keys, features = excluded.features, updated = excluded.updated
