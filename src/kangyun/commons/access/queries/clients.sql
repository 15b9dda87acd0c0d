-- name: put
INSERT INTO oauth_client (id, name_zh, name_en, kind, secret, redirects, jwks, jwks_uri, launch, abilities, scopes, role, institution,
                          state, made, made_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'active', $14, $15)

-- name: one
SELECT id, name_zh, name_en, kind, secret, redirects, jwks, jwks_uri, launch, abilities, scopes, role, institution, state, made, used
FROM oauth_client WHERE id = $1

-- name: all
SELECT id, name_zh, name_en, kind, secret, redirects, jwks, jwks_uri, launch, abilities, scopes, role, institution, state, made, used
FROM oauth_client WHERE $1 OR state = 'active' ORDER BY state, made DESC

-- name: launchable
SELECT id, name_zh, name_en, kind, secret, redirects, jwks, jwks_uri, launch, abilities, scopes, role, institution, state, made, used
FROM oauth_client WHERE launch IS NOT NULL AND state = 'active' ORDER BY made

-- name: set_secret
UPDATE oauth_client SET secret = $2 WHERE id = $1 AND state = 'active' RETURNING id

-- name: end
UPDATE oauth_client SET state = 'revoked', secret = NULL WHERE id = $1 AND state = 'active' RETURNING id

-- name: used
UPDATE oauth_client SET used = $2 WHERE id = $1 AND (used IS NULL OR used < $3)

-- name: origins
SELECT DISTINCT redirect FROM oauth_client c, unnest(c.redirects) redirect WHERE c.state = 'active'

-- name: once
INSERT INTO oauth_assertion (client, jti, ends) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING client

-- name: trim_assertions
DELETE FROM oauth_assertion WHERE ends < $1
