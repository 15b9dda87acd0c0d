-- What is left in each caller's bucket of requests. Unlogged: after an accident everybody begins with a full bucket.
-- `who` is a hash of the account, client or address, so that the table tells nobody who logs in from where.
-- no resident: it counts requests of callers
CREATE UNLOGGED TABLE rate_bucket (
    kind text NOT NULL,
    who bytea NOT NULL,
    tokens double precision NOT NULL,
    granted double precision NOT NULL,
    filled timestamptz NOT NULL,
    full_at timestamptz NOT NULL,
    PRIMARY KEY (kind, who)
);
CREATE INDEX rate_bucket_full ON rate_bucket (full_at);
