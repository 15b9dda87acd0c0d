-- How far each reaction has read the change feed. A batch is what the snapshot `high` sees and the snapshot `low` did
-- not; inside it everything up to `after` is delivered and `last` is its end. 1:1: sees nothing.
-- no resident: one row a reaction.
CREATE TABLE reaction_cursor (
    reaction text PRIMARY KEY,
    low pg_snapshot NOT NULL DEFAULT '1:1:',
    high pg_snapshot NOT NULL DEFAULT '1:1:',
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
    method text NOT NULL,
    tries integer NOT NULL,
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    given_up timestamptz,
    PRIMARY KEY (reaction, resident, seq)
);
