-- name: token
SELECT id, client, family, actor, made, ends FROM entry WHERE secret = $1 AND kind = 'token' AND ends > $2

-- name: put_asking
INSERT INTO oauth_asking (secret, client, content, ends) VALUES ($1, $2, $3, $4)

-- name: asking
SELECT client, content FROM oauth_asking WHERE secret = $1 AND ends > $2

-- name: take_asking
DELETE FROM oauth_asking WHERE secret = $1 RETURNING client

-- name: put_launch
INSERT INTO oauth_launch (secret, client, account, patient, encounter, ends) VALUES ($1, $2, $3, $4, $5, $6)

-- name: launch
SELECT patient, encounter FROM oauth_launch WHERE secret = $1 AND client = $2 AND account = $3 AND ends > $4

-- name: put_grant
INSERT INTO oauth_grant (id, client, account, person, actor, scopes, patient, encounter, made, used, ends, renews)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)

-- name: put_code
INSERT INTO oauth_code (code, grant_id, redirect, challenge, nonce, logged_in, ends) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: use_code
UPDATE oauth_code SET used = $2 WHERE code = $1 AND used IS NULL
RETURNING grant_id, redirect, challenge, nonce, logged_in, ends

-- name: used_code
SELECT o.grant_id, g.client FROM oauth_code o JOIN oauth_grant g ON g.id = o.grant_id WHERE o.code = $1

-- name: grant
SELECT id, client, account, actor, scopes, patient, encounter, made, used, ends, renews FROM oauth_grant WHERE id = $1

-- name: grant_to_use
UPDATE oauth_grant SET used = $2, ends = greatest(ends, $3) WHERE id = $1
RETURNING id, client, account, actor, scopes, patient, encounter, made, used, ends, renews

-- name: of_account
SELECT id, client, account, actor, scopes, patient, encounter, made, used, ends, renews FROM oauth_grant
WHERE account = $1 AND ends > $2 ORDER BY made DESC

-- name: put_refresh
INSERT INTO oauth_refresh (secret, grant_id, made) VALUES ($1, $2, $3)

-- name: refresh
SELECT grant_id, used FROM oauth_refresh WHERE secret = $1

-- name: use_refresh
UPDATE oauth_refresh SET used = $2 WHERE secret = $1 AND used IS NULL RETURNING grant_id

-- name: trim
WITH asked AS (DELETE FROM oauth_asking WHERE ends < $1), launched AS (DELETE FROM oauth_launch WHERE ends < $1)
DELETE FROM oauth_grant WHERE ends < $1

-- name: trim_codes
DELETE FROM oauth_code o WHERE NOT EXISTS (SELECT FROM oauth_grant g WHERE g.id = o.grant_id)

-- name: trim_refreshes
DELETE FROM oauth_refresh o WHERE NOT EXISTS (SELECT FROM oauth_grant g WHERE g.id = o.grant_id)

-- name: hold_token
SELECT id FROM entry WHERE id = $1 FOR SHARE

-- name: hold_client
SELECT id FROM oauth_client WHERE id = $1 AND state = 'active' AND secret IS NOT DISTINCT FROM $2 FOR SHARE

-- name: session_made
SELECT made FROM entry WHERE id = $1
