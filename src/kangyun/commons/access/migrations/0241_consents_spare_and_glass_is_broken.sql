-- What the conditions of 0204 read, as consents and break-glass fill it (tables of 0203):
--   access_denial  (resident, consent, part, institution, types, labels, purposes, starts, ends, spared)
--                  institution: key of an Organization or of a Practitioner; 0: everybody but those in `spared`
--   access_opening (resident, cause, part, kind, institution, account, types, labels, purposes, starts, ends)
--                  labels NULL: lets the institution in, sensitive classes excepted; else opens those classes
-- An institution stands for itself and those below it. A row holds for all Patients of the person.

ALTER TABLE access_denial ADD COLUMN spared bigint[] NOT NULL DEFAULT '{}';

-- Whom a consent's institution or practitioner names: the caller's own institution (the first) and those above it. A
-- denial also names whoever would see by an institution below its own.
CREATE FUNCTION access_names(who bigint[], asker access_asker, below boolean) RETURNS boolean LANGUAGE plpgsql STABLE COST 200 AS $$
BEGIN
    IF (asker).practitioner = ANY (who) OR (asker).institutions[1] = ANY (who)
       OR below AND (asker).institutions && who THEN
        RETURN true;
    END IF;
    RETURN EXISTS (
        WITH RECURSIVE above (institution, parent, depth) AS (
            SELECT i.institution, i.parent, 0 FROM access_institution i WHERE i.institution = (asker).institutions[1]
            UNION ALL
            SELECT i.institution, i.parent, a.depth + 1 FROM above a JOIN access_institution i ON i.institution = a.parent WHERE a.depth < 20
        )
        SELECT FROM above a WHERE a.parent = ANY (who));
END $$;

-- A denial that holds for this caller now, whatever it is about.
CREATE FUNCTION access_denies(d access_denial, asker access_asker) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT d.starts <= now() AND now() < d.ends AND (d.purposes IS NULL OR (asker).purpose = ANY (d.purposes))
       AND CASE WHEN d.institution = 0 THEN d.spared = '{}' OR NOT access_names(d.spared, asker, false)
                ELSE access_names(ARRAY[d.institution], asker, true) END
$$;

-- An opening by consent that holds for this caller now, whatever it is about.
CREATE FUNCTION access_opens(o access_opening, asker access_asker) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT o.kind = 'consent' AND o.starts <= now() AND now() < o.ends AND (o.purposes IS NULL OR (asker).purpose = ANY (o.purposes))
       AND (o.institution = 0 OR access_names(ARRAY[o.institution], asker, false))
$$;

CREATE OR REPLACE FUNCTION access_left(same bigint[], resident bigint, type smallint, tokens bigint[], asker access_asker) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- hash64('sensitive:privacy'): a Consent about privacy would tell what is withheld.
    IF (6426974803522068623) = ANY (access_left.tokens) THEN
        RETURN false;
    END IF;
    IF access_kept(resident, asker) THEN
        RETURN true;
    END IF;
    IF EXISTS (SELECT FROM access_denial d WHERE d.resident = ANY (same)
               AND (d.types IS NULL OR access_left.type = ANY (d.types)) AND (d.labels IS NULL OR access_left.tokens && d.labels)
               AND access_denies(d, asker)) THEN
        RETURN false;
    END IF;
    IF NOT access_left.tokens && (asker).sensitive THEN
        RETURN true;
    END IF;
    -- Each class that the resource is of must have been opened.
    RETURN NOT EXISTS (
        SELECT FROM unnest((asker).sensitive) class WHERE class = ANY (access_left.tokens) AND NOT EXISTS (
            SELECT FROM access_opening o WHERE o.resident = ANY (same) AND class = ANY (o.labels)
            AND (o.types IS NULL OR access_left.type = ANY (o.types)) AND access_opens(o, asker)));
END $$;

CREATE OR REPLACE FUNCTION access_cares(resident bigint, type smallint, tokens bigint[], asker access_asker, kinds text[], own boolean)
RETURNS boolean LANGUAGE plpgsql STABLE COST 5000 AS $$
DECLARE
    same bigint[] := access_same(resident);
BEGIN
    IF (EXISTS (SELECT FROM access_relation a WHERE a.resident = ANY (same) AND a.kind = ANY (kinds) AND a.starts <= now() AND now() < a.ends
                AND CASE WHEN own THEN (asker).practitioner = ANY (a.practitioners)
                    ELSE a.institution = ANY ((asker).institutions) OR (asker).practitioner = ANY (a.practitioners)
                         OR a.institution = 0 AND access_kept(a.resident, asker) END)
        -- The resident let the institution in.
        OR EXISTS (SELECT FROM access_opening o WHERE o.resident = ANY (same) AND o.labels IS NULL AND o.institution <> 0
                   AND (o.types IS NULL OR access_cares.type = ANY (o.types)) AND access_opens(o, asker)))
       AND access_left(same, resident, type, tokens, asker) THEN
        RETURN true;
    END IF;
    RETURN access_emergency(same, asker);
END $$;

-- Whether something of a person is kept from a caller who has a relation to it: by a consent, or because of its class. It
-- says neither what nor how much. Type 29 is Consent, which nobody else sees and which withholds nothing itself.
CREATE FUNCTION access_withheld(patient bigint, asker access_asker) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    same bigint[] := access_same(patient);
BEGIN
    IF access_emergency(same, asker) THEN
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT FROM access_denial d WHERE d.resident = ANY (same) AND access_denies(d, asker))
        -- hash64('Resource.compartment'): what is in the person's compartment is found by its token.
        OR EXISTS (SELECT FROM resource r WHERE r.tokens && ARRAY(SELECT s # (-3958090009875282014) FROM unnest(same) s)
                   AND r.tokens && (asker).sensitive AND NOT r.deleted AND r.type <> 29
                   AND NOT access_left(same, r.resident, r.type, r.tokens, asker));
END $$;

-- A glass that was broken: by whom, for whom, why, until when, and what an auditor says of it.
--   id        also the name of its openings: cause = hash64('Emergency/<id>')
--   patient   id of the Patient it was broken for; person: id of the Person, '' without one
--   reason    code of rules/emergency.yaml; words, remark: sealed, they may tell of a patient
--   told      when a text message was taken for the resident's phone
--   verdict   accepted, abuse; NULL: nobody has looked yet
CREATE TABLE emergency (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    patient text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    practitioner text COLLATE "C",
    institution text COLLATE "C",
    role text NOT NULL,
    reason text NOT NULL,
    words bytea NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    told timestamptz,
    verdict text CHECK (verdict IN ('accepted', 'abuse')),
    remark bytea,
    reviewed timestamptz,
    reviewer text COLLATE "C",
    PRIMARY KEY (resident, id)
);
CREATE INDEX emergency_order ON emergency (starts DESC, id);
CREATE INDEX emergency_account ON emergency (account, starts DESC);
