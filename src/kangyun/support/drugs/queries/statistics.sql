-- name: events
SELECT s.event, count(*) AS times, count(DISTINCT s.number) AS prescriptions
FROM drugs_step s JOIN drugs_prescription p ON p.resident = s.resident AND p.number = s.number
WHERE p.institution = $1 AND p.signed >= $2 AND p.signed < $3 GROUP BY s.event

-- name: overview
SELECT count(*) AS prescriptions, count(*) FILTER (WHERE long) AS several, avg(lines)::float AS lines
FROM (SELECT number, lines, lines > 5 AS long FROM drugs_prescription
      WHERE institution = $1 AND signed >= $2 AND signed < $3 AND state NOT IN ('draft', 'cancelled')) AS x

-- name: waits
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY minutes) AS half, percentile_cont(0.95) WITHIN GROUP (ORDER BY minutes) AS most,
    count(*) AS judged, count(*) FILTER (WHERE late) AS late
FROM (
    SELECT extract(epoch FROM min(s.at) - p.signed) / 60 AS minutes, min(s.at) > max(p.review_due) AS late
    FROM drugs_prescription p JOIN drugs_step s ON s.resident = p.resident AND s.number = p.number
    WHERE p.institution = $1 AND p.signed >= $2 AND p.signed < $3 AND s.event IN ('pass', 'return', 'refuse')
    GROUP BY p.resident, p.number, p.signed
) AS x

-- name: numbers
SELECT number FROM drugs_prescription WHERE institution = $1 AND signed >= $2 AND signed < $3

-- name: doctors
SELECT p.practitioner, count(DISTINCT p.number) AS prescriptions,
    count(DISTINCT p.number) FILTER (WHERE s.event IN ('return', 'refuse', 'ask')) AS back
FROM drugs_prescription p LEFT JOIN drugs_step s ON s.resident = p.resident AND s.number = p.number
WHERE p.institution = $1 AND p.signed >= $2 AND p.signed < $3 GROUP BY p.practitioner ORDER BY back DESC, prescriptions DESC LIMIT 50

-- name: drugs
SELECT a.code, count(DISTINCT a.number) AS prescriptions
FROM drugs_amount a JOIN drugs_prescription p ON p.resident = a.resident AND p.number = a.number
WHERE p.institution = $1 AND p.signed >= $2 AND p.signed < $3 AND p.state NOT IN ('draft', 'cancelled')
GROUP BY a.code ORDER BY prescriptions DESC, a.code
