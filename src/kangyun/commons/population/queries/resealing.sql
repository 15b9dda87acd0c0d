-- name: plain
SELECT resident, patient, numbers, ids, keys, features FROM identity WHERE features LIKE '[%' ORDER BY resident, patient LIMIT $1

-- name: seal
UPDATE identity i SET numbers = u.numbers::bigint[], ids = '{}', keys = u.keys::bigint[], features = u.features
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) u (resident, patient, numbers, keys, features)
WHERE i.resident = u.resident AND i.patient = u.patient

-- name: page
SELECT resident, patient, features FROM identity WHERE (resident, patient) > ($1, $2) ORDER BY resident, patient LIMIT $3

-- name: keep
-- Only where it is still what was read: whoever writes meanwhile seals with the current key.
UPDATE identity SET features = $4 WHERE resident = $1 AND patient = $2 AND features = $3

-- name: alone
SELECT pg_advisory_xact_lock(72611150, 341)
