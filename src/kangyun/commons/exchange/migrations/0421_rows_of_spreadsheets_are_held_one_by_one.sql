-- What became of each sheet of a file, and which rows of it wait for a person. The cells stay in the sealed raw message.
--   columns  labels of columns that no rule reads, one a line
-- no resident: a sheet holds many residents, and a refused row none that is known
CREATE TABLE table_sheet (
    message bigint NOT NULL,
    sheet text NOT NULL,
    kind text NOT NULL,
    rows integer NOT NULL,
    stored integer NOT NULL,
    held integer NOT NULL,
    columns text NOT NULL,
    PRIMARY KEY (message, sheet)
);

-- no resident: whom a refused row concerns is not known
CREATE TABLE held_row (
    message bigint NOT NULL,
    sheet text NOT NULL,
    row integer NOT NULL,
    col integer NOT NULL,
    label text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (message, sheet, row)
);

-- Codes of senders that no map translates yet, with how often they came. A sender's free text is cut to what a code can be.
--   role    which element holds it, such as Condition.code
--   state   open: waits for a person; mapped; rejected: a person said that nothing fits
-- no resident: a code is counted for its sender, whoever it was said of
CREATE TABLE unknown_code (
    sender_key bigint NOT NULL,
    sender text NOT NULL,
    system text NOT NULL,
    code text NOT NULL,
    display text NOT NULL,
    role text NOT NULL,
    number bigint NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'mapped', 'rejected')),
    target_system text,
    target_code text,
    decided timestamptz,
    decided_by text,
    recoded integer,
    PRIMARY KEY (sender_key, system, code, role)
);
CREATE INDEX unknown_code_open ON unknown_code (state, number DESC);
