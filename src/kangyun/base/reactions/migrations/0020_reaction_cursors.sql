-- How far each reaction has read the change feed. A batch is the changes of the transactions from `low` up to, not
-- including, `high`; inside it everything up to `after` is delivered and `last` is its end.
-- no resident: one row a reaction.
CREATE TABLE reaction_cursor (
    reaction text PRIMARY KEY,
    low xid8 NOT NULL DEFAULT '0',
    high xid8 NOT NULL DEFAULT '0',
    after bigint NOT NULL DEFAULT 0,
    last bigint NOT NULL DEFAULT 0
);

-- Changes that a reaction failed on, and later changes of the same residents that wait behind them.
CREATE TABLE reaction_parked (
    reaction text NOT NULL,
    resident bigint NOT NULL,
    seq bigint NOT NULL,
    key bigint NOT NULL,
    type text NOT NULL,
    id text NOT NULL,
    version integer NOT NULL,
    deleted boolean NOT NULL,
    tries integer NOT NULL,
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    given_up timestamptz,
    PRIMARY KEY (reaction, resident, seq)
);
