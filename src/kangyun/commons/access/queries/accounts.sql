-- name: account
SELECT id, kind, login, person, practitioner, state FROM account WHERE id = $1

-- name: account_by_login
SELECT id, kind, login, person, practitioner, state FROM account WHERE login = $1

-- name: account_by_phone
SELECT id, kind, login, person, practitioner, state FROM account WHERE phone_index = $1

-- name: account_of_person
SELECT id, kind, login, person, practitioner, state FROM account WHERE person = $1

-- name: staff
SELECT a.id, a.login, a.state, m.role, m.institution, m.id AS membership,
    (SELECT count(*) FROM credential c WHERE c.account = a.id AND c.kind IN ('totp', 'passkey') AND c.ended IS NULL) AS seconds
FROM account a LEFT JOIN membership m ON m.account = a.id AND (m.ends IS NULL OR m.ends > $1)
WHERE a.kind = 'staff' AND a.login IS NOT NULL AND ($2::text IS NULL OR m.institution = $2)
ORDER BY a.login, m.starts, m.id

-- name: put_account
INSERT INTO account (id, kind, login, phone, phone_index, person, practitioner, state, made)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id

-- name: set_state
UPDATE account SET state = $2 WHERE id = $1 AND state <> $2 RETURNING id

-- name: set_login
UPDATE account SET login = $2, state = 'active' WHERE id = $1 AND (login IS NULL OR login = $2) RETURNING id

-- name: set_practitioner
UPDATE account SET practitioner = $2 WHERE id = $1 AND practitioner IS NULL

-- name: bind
UPDATE account SET person = $2 WHERE id = $1 AND person IS NULL RETURNING id

-- name: move_account
-- A person that was found to be another one; where the other has an account, both stay as they are for a counter to see.
UPDATE account SET person = $2 WHERE person = $1 AND NOT EXISTS (SELECT FROM account WHERE person = $2)

-- name: move_guardians
UPDATE account_ward SET guardian = CASE guardian WHEN $1 THEN $2 ELSE guardian END, ward = CASE ward WHEN $1 THEN $2 ELSE ward END
WHERE guardian = $1 OR ward = $1

-- name: close_account
-- Its phone and its person are free for another account.
UPDATE account SET state = 'closed', phone = NULL, phone_index = NULL, person = NULL WHERE id = $1 RETURNING id

-- name: remove_credentials
DELETE FROM credential WHERE account = $1

-- name: seen
UPDATE account SET seen = $2 WHERE id = $1

-- name: not_seen_since
SELECT 1 FROM account WHERE id = $1 AND person IS NOT NULL AND seen < $2

-- name: move_phone
UPDATE account SET phone = $2, phone_index = $3 WHERE id = $1 RETURNING id

-- name: phone_of
SELECT phone FROM account WHERE id = $1

-- name: password
SELECT id, content, made FROM credential WHERE account = $1 AND kind = 'password' AND ended IS NULL ORDER BY made DESC LIMIT 1

-- name: former_passwords
SELECT content FROM credential WHERE account = $1 AND kind = 'password' ORDER BY made DESC LIMIT $2

-- name: end_passwords
UPDATE credential SET ended = $2 WHERE account = $1 AND kind = 'password' AND ended IS NULL

-- name: forget_passwords
DELETE FROM credential WHERE account = $1 AND kind = 'password' AND id NOT IN (
    SELECT id FROM credential WHERE account = $1 AND kind = 'password' ORDER BY made DESC LIMIT $2)

-- name: put_credential
INSERT INTO credential (id, account, kind, handle, content, count, title, made) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: seconds
SELECT id, kind, handle, content, count, title, made, used FROM credential
WHERE account = $1 AND kind IN ('totp', 'passkey') AND ended IS NULL ORDER BY made

-- name: passkey
SELECT c.id, c.account, c.content, c.count FROM credential c JOIN account a ON a.id = c.account
WHERE c.kind = 'passkey' AND c.handle = $1 AND c.ended IS NULL

-- name: count_up
-- A count that does not grow is a copy of a device, or a code used twice; devices without a counter stay at 0.
UPDATE credential SET count = $2, used = $3
WHERE id = $1 AND ended IS NULL AND (count < $2 OR (count = 0 AND $2 = 0)) RETURNING id

-- name: remove_credential
DELETE FROM credential WHERE account = $1 AND id = $2 AND kind IN ('totp', 'passkey', 'outside') RETURNING kind

-- name: remove_seconds
DELETE FROM credential WHERE account = $1 AND kind IN ('totp', 'passkey', 'recovery')

-- name: remove_kind
DELETE FROM credential WHERE account = $1 AND kind = $2

-- name: use_recovery
UPDATE credential SET ended = $3, used = $3
WHERE kind = 'recovery' AND handle = $2 AND account = $1 AND ended IS NULL RETURNING id

-- name: count_recovery
SELECT count(*) FROM credential WHERE account = $1 AND kind = 'recovery' AND ended IS NULL

-- name: memberships
SELECT id, institution, role, practitioner FROM membership
WHERE account = $1 AND starts <= $2 AND (ends IS NULL OR ends > $2) ORDER BY starts, id

-- name: membership
SELECT id, account, institution, role, practitioner FROM membership WHERE id = $1

-- name: put_membership
INSERT INTO membership (id, account, institution, role, practitioner, starts, ends)
SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (
    SELECT FROM membership WHERE account = $2 AND institution = $3 AND role = $4 AND (ends IS NULL OR ends > $6))
RETURNING id

-- name: end_memberships
UPDATE membership SET ends = $2 WHERE account = $1 AND (ends IS NULL OR ends > $2) AND ($3::text IS NULL OR institution = $3)
    AND ($4::text IS NULL OR role = $4) RETURNING id

-- name: put_invitation
INSERT INTO invitation (token, id, kind, account, institution, role, practitioner, made_by, made, ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: invitation
SELECT id, kind, account, institution, role, practitioner FROM invitation WHERE token = $1 AND used IS NULL AND ends > $2

-- name: use_invitation
UPDATE invitation SET used = $2 WHERE token = $1 AND used IS NULL AND ends > $2 RETURNING id

-- name: end_invitations
UPDATE invitation SET used = $2 WHERE account = $1 AND kind = $3 AND used IS NULL

-- name: one_phone_at_a_time
SELECT pg_advisory_xact_lock(215, $1)

-- name: sent_codes
SELECT made FROM one_time_code WHERE phone_index = $1 AND made > $2 ORDER BY made

-- name: put_code
INSERT INTO one_time_code (id, phone_index, hash, made, ends) VALUES ($1, $2, $3, $4, $5)

-- name: end_code
UPDATE one_time_code SET used = $2 WHERE id = $1

-- name: try_code
-- Counted before it is compared, in every process: nobody gets more tries by asking often at once.
UPDATE one_time_code SET tries = tries + 1 WHERE id = $1 AND tries < $2 AND used IS NULL AND ends > $3 RETURNING hash, phone_index

-- name: use_code
UPDATE one_time_code SET used = $2 WHERE id = $1 AND used IS NULL RETURNING id

-- name: begin_try
-- Counted before the secret is looked at, in every process. No row: the door is closed.
INSERT INTO login_failure AS f (subject, moments, locked)
VALUES ($1, ARRAY[$2::timestamptz], CASE WHEN $4::int <= 1 THEN $5::timestamptz END)
ON CONFLICT (subject) DO UPDATE SET
    moments = ARRAY(SELECT m FROM unnest(f.moments) m WHERE m > $3 AND f.locked IS NULL) || $2::timestamptz,
    locked = CASE WHEN cardinality(ARRAY(SELECT m FROM unnest(f.moments) m WHERE m > $3 AND f.locked IS NULL)) + 1 >= $4::int
        THEN $5::timestamptz END
WHERE f.locked IS NULL OR f.locked <= $2
RETURNING locked

-- name: locked_until
SELECT locked FROM login_failure WHERE subject = $1

-- name: forgive_all
DELETE FROM login_failure WHERE subject = $1

-- name: forgive_one
UPDATE login_failure SET moments = array_remove(moments, $2::timestamptz), locked = NULL WHERE subject = $1

-- name: put_step
INSERT INTO login_step (secret, content, ends) VALUES ($1, $2, $3)

-- name: step
SELECT content FROM login_step WHERE secret = $1 AND ends > $2

-- name: take_step
DELETE FROM login_step WHERE secret = $1 RETURNING content, ends

-- name: trim_steps
DELETE FROM login_step WHERE ends < $1

-- name: trim_codes
DELETE FROM one_time_code WHERE made < $1

-- name: trim_failures
DELETE FROM login_failure WHERE (locked IS NULL OR locked < $1) AND NOT EXISTS (SELECT FROM unnest(moments) m WHERE m > $1)
