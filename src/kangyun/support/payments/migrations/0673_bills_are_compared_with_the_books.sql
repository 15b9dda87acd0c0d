-- One bill of a channel for one day, as it came, and what both sides add up to.
-- no resident: a bill is of a channel
CREATE TABLE payments_reconciliation (
    channel text NOT NULL,
    day date NOT NULL,
    file bytea NOT NULL,
    theirs_count integer NOT NULL,
    theirs_fen bigint NOT NULL,
    theirs_refund_fen bigint NOT NULL,
    fee_fen bigint NOT NULL,
    ours_count integer NOT NULL,
    ours_fen bigint NOT NULL,
    ours_refund_fen bigint NOT NULL,
    made timestamptz NOT NULL,
    PRIMARY KEY (channel, day)
);

-- no resident: a difference is of a bill; what it is about may be nothing of ours
CREATE TABLE payments_difference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text NOT NULL,
    day date NOT NULL,
    kind text NOT NULL,
    about text NOT NULL,
    subject text NOT NULL,
    ours_fen bigint,
    theirs_fen bigint,
    ours text NOT NULL DEFAULT '',
    theirs text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'open',
    resolution text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    by_account text NOT NULL DEFAULT '',
    at timestamptz,
    made timestamptz NOT NULL,
    UNIQUE (channel, day, kind, about, subject)
);
CREATE INDEX payments_difference_open ON payments_difference (day) WHERE state = 'open';
CREATE INDEX payments_difference_subject ON payments_difference (subject);

-- What an institution is paid out of what was paid for it.
-- no resident: a settlement is of an institution
CREATE TABLE payments_settlement (
    id text PRIMARY KEY,
    institution text NOT NULL,
    day date NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    state text NOT NULL,
    bank_reference text NOT NULL DEFAULT '',
    made timestamptz NOT NULL,
    paid timestamptz,
    UNIQUE (institution, day)
);
