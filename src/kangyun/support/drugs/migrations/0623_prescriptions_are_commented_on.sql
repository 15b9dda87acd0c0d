-- A sample of an institution's prescriptions for 处方点评. seed: prescriptions are drawn in the order of its hash, so that
-- anybody can draw the same again.
-- no resident: a sample of an institution
CREATE TABLE drugs_sample (
    id text COLLATE "C" PRIMARY KEY,
    institution text COLLATE "C" NOT NULL,
    starts date NOT NULL,
    ends date NOT NULL,
    kind text NOT NULL,
    seed text NOT NULL,
    among integer NOT NULL,
    drawn integer NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL
);
CREATE INDEX drugs_sample_institution ON drugs_sample (institution, at DESC);

-- What was said of each drawn prescription. problems: codes of rules/comment.yaml; at is empty until it is commented on.
CREATE TABLE drugs_comment (
    resident bigint NOT NULL,
    sample text COLLATE "C" NOT NULL,
    number text COLLATE "C" NOT NULL,
    practitioner text COLLATE "C" NOT NULL,
    problems text[] NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    actor text NOT NULL DEFAULT '',
    at timestamptz,
    PRIMARY KEY (resident, sample, number)
);
CREATE INDEX drugs_comment_sample ON drugs_comment (sample, number);
