-- Changes of the record that a receiver has asked for, until it has acknowledged them; in order for each resident.
-- body is composed once, at the first try, so that a message that is sent again is the same under the same control id.
CREATE SEQUENCE outbound_id AS bigint;

CREATE TABLE outbound (
    resident bigint NOT NULL,
    id bigint NOT NULL DEFAULT nextval('outbound_id'),
    receiver text NOT NULL,
    message text NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    resource text NOT NULL,
    version integer NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'refused', 'nothing')),
    tries integer NOT NULL DEFAULT 0,
    next_try timestamptz NOT NULL DEFAULT clock_timestamp(),
    handled timestamptz,
    sealed integer,
    digest bytea,
    body bytea,
    reason text,
    PRIMARY KEY (resident, id),
    UNIQUE (resident, receiver, message, seq)
);
CREATE INDEX outbound_waiting ON outbound (receiver, resident, id) WHERE state = 'waiting';
CREATE INDEX outbound_handled ON outbound (handled) WHERE state <> 'waiting';
