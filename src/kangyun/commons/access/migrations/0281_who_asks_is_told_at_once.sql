-- Connections plan each statement with its values, since the frequency of a token decides how a search goes. What stands in
-- these functions is found by keys whatever the values are, and is asked for each row: here a plan is made once. SET keeps
-- a function from being inlined, which none of these could be.
CREATE OR REPLACE FUNCTION access_same(resident bigint) RETURNS bigint[] LANGUAGE plpgsql STABLE SET plan_cache_mode = 'auto' AS $$
BEGIN
    RETURN ARRAY(SELECT j.resident FROM access_identity i JOIN access_identity j ON j.person = i.person
                 WHERE i.resident = access_same.resident) || resident;
END $$;

CREATE OR REPLACE FUNCTION access_kept(resident bigint, asker access_asker) RETURNS boolean
LANGUAGE plpgsql STABLE SET plan_cache_mode = 'auto' AS $$
BEGIN
    RETURN EXISTS (SELECT FROM access_relation a WHERE a.resident = access_kept.resident AND a.kind = 'source'
                   AND a.institution = ANY ((asker).institutions));
END $$;

CREATE OR REPLACE FUNCTION access_emergency(same bigint[], asker access_asker) RETURNS boolean
LANGUAGE plpgsql STABLE SET plan_cache_mode = 'auto' AS $$
BEGIN
    RETURN EXISTS (SELECT FROM access_opening o WHERE o.resident = ANY (same) AND o.kind = 'emergency'
                   AND o.account = (asker).account AND o.starts <= now() AND now() < o.ends);
END $$;

ALTER FUNCTION access_names(bigint[], access_asker, boolean) SET plan_cache_mode = 'auto';
ALTER FUNCTION access_left(bigint[], bigint, smallint, bigint[], access_asker) SET plan_cache_mode = 'auto';
ALTER FUNCTION access_cares(bigint, smallint, bigint[], access_asker, text[], boolean) SET plan_cache_mode = 'auto';
ALTER FUNCTION access_keeps(bigint, smallint, bigint[], access_asker, bigint[]) SET plan_cache_mode = 'auto';

-- What the conditions of a caller are about, asked with each request: keys of the caller's Person and institution and of the
-- Patient that an app was opened for, NULL where there is none or where nothing needs it.
--   own         Patients of the person          below       the institution, first, and those below it
--   consortium  all institutions of the one at whose head the institution's line ends
--   launched    Patients of whoever the app was opened for
CREATE FUNCTION access_facts(
    person bigint, institution bigint, wide bigint, patient bigint,
    OUT own bigint[], OUT below bigint[], OUT consortium bigint[], OUT launched bigint[]
) LANGUAGE plpgsql STABLE SET plan_cache_mode = 'auto' AS $$
BEGIN
    own := CASE WHEN person IS NULL THEN '{}' ELSE ARRAY(SELECT i.resident FROM access_identity i WHERE i.person = access_facts.person) END;
    launched := CASE WHEN patient IS NULL THEN '{}' ELSE access_same(patient) END;
    below := '{}';
    IF institution IS NOT NULL THEN
        below := institution || ARRAY(
            WITH RECURSIVE under (one) AS (
                SELECT access_facts.institution UNION SELECT i.institution FROM under u JOIN access_institution i ON i.parent = u.one
            )
            SELECT one FROM under WHERE one <> access_facts.institution);
    END IF;
    consortium := '{}';
    IF wide IS NOT NULL THEN
        consortium := ARRAY(
            WITH RECURSIVE above (one, parent, depth) AS (
                SELECT i.institution, i.parent, 0 FROM access_institution i WHERE i.institution = wide
                UNION ALL
                SELECT i.institution, i.parent, a.depth + 1 FROM above a JOIN access_institution i ON i.institution = a.parent WHERE a.depth < 20
            ), under (one) AS (
                (SELECT coalesce((SELECT a.parent FROM above a WHERE a.parent IS NOT NULL ORDER BY a.depth DESC LIMIT 1), wide))
                UNION SELECT i.institution FROM under u JOIN access_institution i ON i.parent = u.one
            )
            SELECT one FROM under);
    END IF;
END $$;
