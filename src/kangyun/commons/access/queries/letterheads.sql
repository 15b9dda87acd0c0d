-- name: letterhead
SELECT colour, logo, logo_type FROM letterhead WHERE institution = $1

-- name: put_letterhead
INSERT INTO letterhead (institution, colour, logo, logo_type, changed, changed_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (institution) DO UPDATE SET colour = EXCLUDED.colour, logo = EXCLUDED.logo, logo_type = EXCLUDED.logo_type,
    changed = EXCLUDED.changed, changed_by = EXCLUDED.changed_by
