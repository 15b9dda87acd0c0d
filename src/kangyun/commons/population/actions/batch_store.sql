-- name: everybody
SELECT resident, patient, person, assurance, features, replace(replace(keys::text, '{', '['), '}', ']') AS keys FROM identity

-- name: judged
SELECT resident, other, state FROM candidate WHERE state <> 'open'
