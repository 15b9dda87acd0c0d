-- What a rule of the audit has found in a settlement; each rule once. The appeal against it is a Task of the record.
--   lines   numbers of the lines concerned; amount: what they cost, in fen
--   facts   codes and numbers for the explanation, nothing in words
--   state   as in rules/lifecycle_finding.yaml
CREATE TABLE insurance_finding (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    settlement text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    number integer NOT NULL,
    result text COLLATE "C" NOT NULL,
    stage text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    lines integer[] NOT NULL,
    amount bigint NOT NULL,
    facts jsonb NOT NULL,
    patient text COLLATE "C" NOT NULL,
    insurer text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    doctor text COLLATE "C" NOT NULL DEFAULT '',
    made timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    task text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (resident, id),
    UNIQUE (resident, settlement, rule)
);
CREATE INDEX insurance_finding_id ON insurance_finding (id);
CREATE INDEX insurance_finding_insurer ON insurance_finding (insurer, state, made DESC);
CREATE INDEX insurance_finding_place ON insurance_finding (place, state, made DESC);
CREATE INDEX insurance_finding_settlement ON insurance_finding (settlement);
