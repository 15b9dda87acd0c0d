-- How the books of a day compare with the insurer's: counts and sums of both, and every settlement that differs.
-- no resident: one row for an insurer and a day
CREATE TABLE insurance_clearing (
    insurer text COLLATE "C" NOT NULL,
    day date NOT NULL,
    made timestamptz NOT NULL,
    ours jsonb NOT NULL,
    theirs jsonb NOT NULL,
    differences integer NOT NULL,
    PRIMARY KEY (insurer, day)
);

--   kind        missing-there, missing-here, amount, reversed-here, reversed-there, doubled
--   settlement  our id, or the insurer's where we know none
--   state       open, mended or explained
-- no resident: the insurer may name a settlement that we know nothing of
CREATE TABLE insurance_difference (
    insurer text COLLATE "C" NOT NULL,
    day date NOT NULL,
    settlement text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    ours jsonb,
    theirs jsonb,
    state text COLLATE "C" NOT NULL DEFAULT 'open',
    found timestamptz NOT NULL,
    settled_by text COLLATE "C" NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (insurer, day, settlement, kind)
);
