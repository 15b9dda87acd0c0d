-- name: among
SELECT resident, number, practitioner FROM drugs_prescription
WHERE institution = $1 AND signed >= $2 AND signed < $3 AND state NOT IN ('draft', 'cancelled') AND (setting = 'inpatient') = $4
ORDER BY md5($5 || number) LIMIT 20000

-- name: put_sample
INSERT INTO drugs_sample (id, institution, starts, ends, kind, seed, among, drawn, at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: put_drawn
INSERT INTO drugs_comment (resident, sample, number, practitioner) SELECT r, $1, n, p FROM unnest($2::bigint[], $3::text[], $4::text[]) AS x (r, n, p)

-- name: samples
SELECT s.*, (SELECT count(*) FROM drugs_comment c WHERE c.sample = s.id AND c.at IS NOT NULL) AS done
FROM drugs_sample s WHERE s.institution = $1 ORDER BY s.at DESC LIMIT 50

-- name: sample
SELECT * FROM drugs_sample WHERE id = $1 AND institution = $2

-- name: drawn
SELECT resident, number, practitioner, problems, note, at FROM drugs_comment WHERE sample = $1 ORDER BY at IS NOT NULL, number

-- name: one
SELECT resident, number, practitioner, problems, note, at FROM drugs_comment WHERE sample = $1 AND number = $2

-- name: say
UPDATE drugs_comment SET problems = $4, note = $5, actor = $6, at = $7 WHERE resident = $1 AND sample = $2 AND number = $3
