-- What stands out in the audit trail: found by a rule of rules/anomalies.yaml, or asked by a resident; an auditor reviews it.
--   rule      id of the rule; question: a resident asked
--   name, role, institution  who is meant, as in the trail; day: in China's time
--   resident  key of a Patient, 0: several or none; count: how many residents, refusals or looks
--   lane, seq an event that shows it; words: what the resident asked, sealed; asker: account of the resident
--   state     open, explained (nothing wrong), abuse; remark: sealed
-- no resident: it is about the one who looked, and a day's work is over many residents
CREATE TABLE audit_anomaly (
    id text COLLATE "C" PRIMARY KEY,
    rule text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    institution text COLLATE "C" NOT NULL,
    day date NOT NULL,
    resident bigint NOT NULL,
    count bigint NOT NULL,
    lane integer NOT NULL,
    seq bigint NOT NULL,
    words bytea,
    asker text COLLATE "C",
    found timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'explained', 'abuse')),
    remark bytea,
    reviewed timestamptz,
    reviewer text COLLATE "C"
);
CREATE UNIQUE INDEX audit_anomaly_once ON audit_anomaly (rule, name, institution, day, resident) WHERE rule <> 'question';
CREATE UNIQUE INDEX audit_anomaly_question ON audit_anomaly (asker, lane, seq) WHERE rule = 'question';
CREATE INDEX audit_anomaly_state ON audit_anomaly (state, found DESC);
