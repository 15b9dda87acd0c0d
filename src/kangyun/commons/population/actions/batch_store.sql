-- name: everybody
SELECT resident, patient, person, features, keys FROM identity WHERE (resident, patient) > ($1, $2) ORDER BY resident, patient LIMIT $3

-- name: judged
SELECT resident, other, state FROM candidate WHERE state <> 'open'

-- name: number
SELECT count(*) FROM identity

-- name: placed
SELECT patient FROM identity WHERE resident = ANY($1::bigint[])
