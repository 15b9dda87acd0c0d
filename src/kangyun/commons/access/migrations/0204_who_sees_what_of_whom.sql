-- The conditions of the policy that need more than the resource itself: asked for each row that a caller with conditions
-- would see, of a search, a read, an include or a write. Everything here is a key, a token or a code, nothing a text about a person.
CREATE TYPE access_asker AS (
    institutions bigint[],   -- of the caller: its own and those below it
    practitioner bigint,     -- key of the caller's Practitioner; 0: none
    account text,
    purpose text,
    sensitive bigint[]       -- tokens of the sensitive classes
);

CREATE FUNCTION access_same(resident bigint) RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT j.resident FROM access_identity i JOIN access_identity j ON j.person = i.person
                 WHERE i.resident = $1) || $1
$$;

-- Recorded by one of the caller's institutions.
CREATE FUNCTION access_kept(resident bigint, asker access_asker) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM access_relation a WHERE a.resident = $1 AND a.kind = 'source'
                   AND a.institution = ANY ((asker).institutions))
$$;

-- The caller broke the glass for this person.
CREATE FUNCTION access_emergency(same bigint[], asker access_asker) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM access_opening o WHERE o.resident = ANY (same) AND o.kind = 'emergency'
                   AND o.account = (asker).account AND o.starts <= now() AND now() < o.ends)
$$;

-- What the resident's consents, and the sensitive classes, leave of what a rule would show.
CREATE FUNCTION access_left(same bigint[], resident bigint, type smallint, tokens bigint[], asker access_asker) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF access_kept(resident, asker) THEN
        RETURN true;
    END IF;
    IF EXISTS (SELECT FROM access_denial d WHERE d.resident = ANY (same)
               AND (d.institution = 0 OR d.institution = ANY ((asker).institutions))
               AND (d.types IS NULL OR access_left.type = ANY (d.types)) AND (d.labels IS NULL OR access_left.tokens && d.labels)
               AND (d.purposes IS NULL OR (asker).purpose = ANY (d.purposes)) AND d.starts <= now() AND now() < d.ends) THEN
        RETURN false;
    END IF;
    IF NOT access_left.tokens && (asker).sensitive THEN
        RETURN true;
    END IF;
    -- Each class that the resource is of must have been opened.
    RETURN NOT EXISTS (
        SELECT FROM unnest((asker).sensitive) class WHERE class = ANY (access_left.tokens) AND NOT EXISTS (
            SELECT FROM access_opening o WHERE o.resident = ANY (same) AND o.kind = 'consent' AND class = ANY (o.labels)
            AND (o.institution = 0 OR o.institution = ANY ((asker).institutions))
            AND (o.purposes IS NULL OR (asker).purpose = ANY (o.purposes)) AND o.starts <= now() AND now() < o.ends));
END $$;

-- A care relation in force, then what consents and classes leave; or a broken glass. `own`: the caller in person must have it.
CREATE FUNCTION access_cares(resident bigint, type smallint, tokens bigint[], asker access_asker, kinds text[], own boolean)
RETURNS boolean LANGUAGE plpgsql STABLE COST 5000 AS $$
DECLARE
    same bigint[] := access_same(resident);
BEGIN
    IF (EXISTS (SELECT FROM access_relation a WHERE a.resident = ANY (same) AND a.kind = ANY (kinds) AND a.starts <= now() AND now() < a.ends
                AND CASE WHEN own THEN (asker).practitioner = ANY (a.practitioners)
                    ELSE a.institution = ANY ((asker).institutions) OR (asker).practitioner = ANY (a.practitioners)
                         OR a.institution = 0 AND access_kept(a.resident, asker) END)
        -- The resident let the institution in.
        OR EXISTS (SELECT FROM access_opening o WHERE o.resident = ANY (same) AND o.kind = 'consent' AND o.labels IS NULL
                   AND o.institution = ANY ((asker).institutions) AND (o.types IS NULL OR access_cares.type = ANY (o.types))
                   AND (o.purposes IS NULL OR (asker).purpose = ANY (o.purposes)) AND o.starts <= now() AND now() < o.ends))
       AND access_left(same, resident, type, tokens, asker) THEN
        RETURN true;
    END IF;
    RETURN access_emergency(same, asker);
END $$;

-- Kept by one of the institutions, then what consents and classes leave (always, of what the caller's own keep).
CREATE FUNCTION access_keeps(resident bigint, type smallint, tokens bigint[], asker access_asker, institutions bigint[])
RETURNS boolean LANGUAGE plpgsql STABLE COST 2000 AS $$
BEGIN
    RETURN EXISTS (SELECT FROM access_relation a WHERE a.resident = access_keeps.resident AND a.kind = 'source'
                   AND a.institution = ANY (institutions))
       AND access_left(access_same(resident), resident, type, tokens, asker);
END $$;
