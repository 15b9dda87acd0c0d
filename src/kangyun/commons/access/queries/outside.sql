-- name: provider
SELECT id, institution, title, issuer, client_id, client_secret, claim, second FROM outside_provider WHERE id = $1 AND ended IS NULL

-- name: providers
SELECT id, institution, title, issuer, client_id, client_secret, claim, second FROM outside_provider WHERE ended IS NULL ORDER BY title, id

-- name: put
INSERT INTO outside_provider (id, institution, title, issuer, client_id, client_secret, claim, second)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET institution = excluded.institution, title = excluded.title, issuer = excluded.issuer,
    client_id = excluded.client_id, client_secret = excluded.client_secret, claim = excluded.claim, second = excluded.second, ended = NULL

-- name: remove
UPDATE outside_provider SET ended = $2 WHERE id = $1 AND ended IS NULL RETURNING id

-- name: linked
SELECT id, account FROM credential WHERE kind = 'outside' AND handle = $1

-- name: link_of
SELECT id FROM credential WHERE kind = 'outside' AND account = $1 AND title = $2
