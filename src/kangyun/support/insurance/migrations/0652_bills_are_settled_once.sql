-- One row for each settlement: what it came to, what it changed in the year, and whether the insurer knows and agrees.
--   id      our message id at the insurer; the Claim, ClaimResponse and ExplanationOfBenefit are named after it
--   key     of the caller: the same key again is the same settlement
--   state   as in rules/lifecycle_settlement.yaml
--   figures, change, theirs   {name: fen}: all figures, what was added to insurance_year, what the insurer said instead
--   reply   the insurer's own number of the settlement
CREATE TABLE insurance_settlement (
    resident bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    year integer NOT NULL,
    patient text COLLATE "C" NOT NULL,
    insurer text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    scene text COLLATE "C" NOT NULL,
    day date NOT NULL,
    made timestamptz NOT NULL,
    changed timestamptz NOT NULL,
    total bigint NOT NULL,
    fund bigint NOT NULL,
    serious bigint NOT NULL,
    supplement bigint NOT NULL,
    aid bigint NOT NULL,
    account bigint NOT NULL,
    cash bigint NOT NULL,
    figures jsonb NOT NULL,
    change jsonb NOT NULL,
    theirs jsonb,
    reply text COLLATE "C" NOT NULL DEFAULT '',
    note text COLLATE "C" NOT NULL DEFAULT '',
    CHECK (total = fund + serious + supplement + aid + account + cash),
    PRIMARY KEY (resident, id),
    UNIQUE (resident, key)
);
CREATE INDEX insurance_settlement_id ON insurance_settlement (id);
CREATE INDEX insurance_settlement_made ON insurance_settlement (insurer, made DESC);
CREATE INDEX insurance_settlement_day ON insurance_settlement (day, insurer);
CREATE INDEX insurance_settlement_person ON insurance_settlement (resident, made DESC);
CREATE INDEX insurance_settlement_open ON insurance_settlement (state, changed) WHERE state NOT IN ('confirmed', 'reversed', 'refused');
