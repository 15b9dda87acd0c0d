-- name: current
SELECT practitioner, x, y FROM signing_key WHERE algorithm = 'SM2' AND ended IS NULL AND practitioner = ANY ($1::text[])
