-- What the conditions of the policy ask: which Patients are one person, which institution is part of which, and which
-- institution has what to do with whom. Triggers keep it in the transaction that writes the record, whichever way that
-- came in; they read only index entries, so they also work on a body that is sealed.
--
-- All numbers are keys of resources (hash64 of Type/id).

-- Which Person a Patient belongs to.
CREATE TABLE access_identity (
    resident bigint PRIMARY KEY,
    person bigint NOT NULL
);
CREATE INDEX access_identity_person ON access_identity (person);

-- no resident: an institution belongs to nobody.
CREATE TABLE access_institution (
    institution bigint PRIMARY KEY,
    parent bigint
);
CREATE INDEX access_institution_parent ON access_institution (parent);

-- kind: source (it keeps this Patient), or a word of rules/relations.yaml such as encounter or contract.
-- institution 0: whichever keeps the Patient. cause: key of the resource that says so.
CREATE TABLE access_relation (
    resident bigint NOT NULL,
    institution bigint NOT NULL,
    kind text NOT NULL,
    cause bigint NOT NULL,
    practitioners bigint[] NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    PRIMARY KEY (resident, institution, kind, cause)
);
CREATE INDEX access_relation_cause ON access_relation (cause);

-- rules/relations.yaml as numbers; written by the process that starts. kind identity and part: see above.
--   resident     seed of the element that names the Patient; NULL: the resource's compartment says it
--   institutions, practitioners  seeds of the elements that name them
--   open         tokens of the states in which the relation lasts; NULL: always. closed: those in which it ends `days` after
--   period       param of the span that says from when to when
-- no resident: one row for a kind of resource.
CREATE TABLE access_relation_rule (
    type smallint NOT NULL,
    kind text NOT NULL,
    resident bigint,
    institutions bigint[] NOT NULL,
    practitioners bigint[] NOT NULL,
    open bigint[],
    closed bigint[],
    period bigint,
    days integer,
    most integer,
    PRIMARY KEY (type, kind)
);

CREATE FUNCTION access_named(seeds bigint[], links bigint[], tokens bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(DISTINCT l), '{}') FROM unnest(links) l, unnest(seeds) s WHERE (l # s) = ANY (tokens)
$$;

CREATE FUNCTION access_relate(new resource) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rule access_relation_rule;
    who bigint[];
    whose bigint[];
    first timestamptz;
    last timestamptz;
BEGIN
    DELETE FROM access_relation WHERE cause = new.key;
    FOR rule IN SELECT * FROM access_relation_rule u WHERE u.type = new.type LOOP
        who := CASE WHEN new.deleted THEN '{}' ELSE access_named(rule.institutions, new.links, new.tokens) END;
        IF rule.kind = 'identity' THEN
            DELETE FROM access_identity WHERE person = new.key;
            INSERT INTO access_identity SELECT w, new.key FROM unnest(who) w
            ON CONFLICT (resident) DO UPDATE SET person = EXCLUDED.person;
            CONTINUE;
        ELSIF rule.kind = 'part' THEN
            INSERT INTO access_institution VALUES (new.key, who[1])
            ON CONFLICT (institution) DO UPDATE SET parent = EXCLUDED.parent;
            CONTINUE;
        END IF;
        CONTINUE WHEN new.deleted;
        whose := CASE WHEN rule.resident IS NULL THEN ARRAY[new.resident]
                      ELSE access_named(ARRAY[rule.resident], new.links, new.tokens) END;
        SELECT to_timestamp(min(lo) / 1e6), to_timestamp(max(hi) / 1e6) INTO first, last
        FROM span WHERE rid = new.rid AND param = rule.period AND lo > -1e16 AND hi < 1e16;
        first := coalesce(first, '-infinity');
        IF rule.open IS NULL THEN
            last := 'infinity';
        ELSIF rule.open && new.tokens THEN
            last := greatest(coalesce(last, new.updated), new.updated) + make_interval(days => rule.most);
        ELSIF rule.closed && new.tokens THEN
            last := coalesce(last, new.updated) + make_interval(days => rule.days);
        ELSE
            CONTINUE;
        END IF;
        INSERT INTO access_relation (resident, institution, kind, cause, practitioners, starts, ends)
        SELECT w, i, rule.kind, new.key, access_named(rule.practitioners, new.links, new.tokens), least(first, new.updated), last
        FROM unnest(whose) w, unnest(CASE WHEN who = '{}' AND rule.kind <> 'source' THEN '{0}' ELSE who END) i
        ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

CREATE FUNCTION access_on_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM access_relate(NEW);
    RETURN NULL;
END $$;

-- Appointment, CareTeam, Encounter, EpisodeOfCare, Organization, Patient, Person, ServiceRequest, Task: every other type
-- pays nothing. rules/relations.yaml may name no other.
CREATE TRIGGER access_relations AFTER INSERT OR UPDATE ON resource FOR EACH ROW
WHEN (NEW.type IN (5, 15, 44, 48, 100, 103, 106, 124, 140)) EXECUTE FUNCTION access_on_write();
