-- Statements for DuckDB, in the order in which they run.

-- name: incoming
CREATE TABLE incoming (unique_id BIGINT, features VARCHAR, keys BIGINT[])

-- name: who
CREATE TABLE who (resident BIGINT, patient VARCHAR, person VARCHAR, placed BOOLEAN)

-- name: admit
INSERT INTO who SELECT resident, patient, person, true FROM page

-- name: newcomer
CREATE TABLE newcomer (resident BIGINT, version INTEGER, source VARCHAR, ids VARCHAR, numbers BIGINT[], locks BIGINT[])

-- name: receive
INSERT INTO newcomer SELECT resident, version, source, ids, numbers, locks FROM page

-- name: receive_who
INSERT INTO who SELECT resident, patient, person, false FROM page

-- name: receive_features
INSERT INTO incoming SELECT resident, features, keys FROM page

-- name: standing
SELECT list(resident ORDER BY resident) FROM who GROUP BY person HAVING count(*) > 1

-- name: persons
SELECT resident, person FROM who

-- name: newcomers
SELECT resident FROM newcomer ORDER BY resident

-- name: placed
SELECT resident FROM who WHERE placed

-- name: together
-- Each newcomer with the number of its group, the groups one after another.
SELECT g.together, n.resident, w.patient, w.person, n.version, n.source, n.ids, n.numbers, n.locks, i.features, i.keys
FROM grouped g JOIN newcomer n USING (resident) JOIN who w USING (resident) JOIN incoming i ON i.unique_id = resident
ORDER BY g.together, n.resident

-- name: some
SELECT resident, patient, features FROM who JOIN incoming ON unique_id = resident WHERE resident IN (SELECT unnest(?))

-- name: busy_phones
SELECT list(phone) FROM (
    SELECT phone FROM (SELECT unnest(phones) AS phone FROM record) GROUP BY phone HAVING count(*) > {holders}
)

-- name: drop_busy_phones
UPDATE record SET phones = list_filter(phones, lambda p: NOT list_contains($busy, p)) WHERE list_has_any(phones, $busy)

-- name: homes
UPDATE record SET homes = h.homes FROM (
    SELECT unique_id, list(DISTINCT door) AS homes FROM (
        SELECT a.unique_id, unnest(b.doors) AS door
        FROM (SELECT unique_id, birth, unnest(phones) AS phone FROM record WHERE birth <> '') a
        JOIN (SELECT birth, doors, unnest(phones) AS phone FROM record WHERE birth <> '' AND len(doors) > 0) b
            ON a.phone = b.phone AND a.birth <> b.birth
    ) GROUP BY unique_id
) h WHERE h.unique_id = record.unique_id

-- name: keys
CREATE TABLE blocking AS
WITH single AS (SELECT unique_id, unnest(keys) AS key FROM incoming)
SELECT key, unique_id FROM single
SEMI JOIN (SELECT key FROM single GROUP BY key HAVING count(*) BETWEEN 2 AND {largest_block}) USING (key)

-- name: pairs
CREATE TABLE pair AS
SELECT '0' AS match_key, p.join_key_l, p.join_key_r
FROM (
    SELECT DISTINCT l.unique_id AS join_key_l, r.unique_id AS join_key_r
    FROM blocking l JOIN blocking r ON l.key = r.key AND l.unique_id < r.unique_id
) p
JOIN identity a ON a.unique_id = p.join_key_l
JOIN identity b ON b.unique_id = p.join_key_r
WHERE a.sure = 0 OR b.sure = 0 OR a.sure = b.sure OR a.same = b.same

-- name: identities
CREATE TABLE identity AS
SELECT unique_id, CASE WHEN sure_number = '' THEN 0 ELSE hash(sure_number) END AS sure,
    CASE WHEN name = '' OR birth = '' THEN hash(unique_id) ELSE hash(name || birth) END AS same
FROM record

-- name: holders
SELECT name, count(*) AS holders FROM record WHERE name <> '' GROUP BY name

-- name: scored
CREATE TABLE scored AS
SELECT one, other, bits, {barred} AS barred FROM (
    SELECT one, other, bits, {levels} FROM (
        SELECT unique_id_l AS one, unique_id_r AS other, match_weight AS bits, {columns}
        FROM {found} p JOIN record l ON l.unique_id = p.unique_id_l JOIN record r ON r.unique_id = p.unique_id_r
    )
)

-- name: torn
-- Records without a number that resemble holders of two different numbers nearly as much.
CREATE TABLE torn AS
WITH side AS (
    SELECT one AS unique_id, b.sure, bits FROM scored s JOIN identity a ON a.unique_id = s.one
    JOIN identity b ON b.unique_id = s.other WHERE a.sure = 0 AND b.sure <> 0 AND s.barred = '' AND s.bits >= {review}
    UNION ALL
    SELECT other, a.sure, bits FROM scored s JOIN identity a ON a.unique_id = s.one
    JOIN identity b ON b.unique_id = s.other WHERE b.sure = 0 AND a.sure <> 0 AND s.barred = '' AND s.bits >= {review}
), best AS (SELECT unique_id, sure, max(bits) AS bits FROM side GROUP BY ALL)
SELECT unique_id FROM best GROUP BY unique_id
HAVING count(*) > 1 AND max(bits) - list_sort(list(bits), 'DESC')[2] < {margin}

-- name: edges
SELECT one, other, bits, barred, (t.unique_id IS NOT NULL OR u.unique_id IS NOT NULL) AS torn
FROM scored s
LEFT JOIN torn t ON t.unique_id = s.one AND (SELECT sure FROM identity WHERE unique_id = s.other) <> 0
LEFT JOIN torn u ON u.unique_id = s.other AND (SELECT sure FROM identity WHERE unique_id = s.one) <> 0
ORDER BY bits DESC, one, other

-- name: numbers
SELECT unique_id, sure_number FROM record WHERE sure_number <> ''

-- name: histogram
SELECT round(bits) AS bits, count(*) FROM scored WHERE barred = '' GROUP BY 1 ORDER BY 1

-- name: prior
SELECT sum(n * (n - 1) / 2), sum(n) * (sum(n) - 1) / 2
FROM (SELECT count(*) AS n FROM record WHERE sure_number <> '' GROUP BY sure_number)
