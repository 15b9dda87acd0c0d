-- name: rules
SELECT type, kind, resident, institutions, practitioners, open, closed, period, days, most FROM access_relation_rule

-- name: clear_rules
DELETE FROM access_relation_rule

-- name: put_rule
INSERT INTO access_relation_rule (type, kind, resident, institutions, practitioners, open, closed, period, days, most)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: rules_lock
LOCK TABLE access_relation_rule IN EXCLUSIVE MODE

-- name: relate_all
SELECT count(access_relate(r)) FROM resource r WHERE r.type = ANY ($1::smallint[]) AND NOT r.deleted

-- name: facts
SELECT own, below, consortium, launched FROM access_facts($1, $2, $3, $4)

-- name: person_above
SELECT r.id, r.version, r.updated, r.deleted, r.meta, r.body, r.resident FROM access_identity i JOIN resource r ON r.key = i.person WHERE i.resident = $1
