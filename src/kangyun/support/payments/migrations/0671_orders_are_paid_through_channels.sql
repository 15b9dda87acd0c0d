-- resident: key of the Person who pays. Prices stand in `lines` as they were when the order was made, and never change.
CREATE TABLE payments_order (
    resident bigint NOT NULL,
    id text NOT NULL,
    key text NOT NULL,
    person text NOT NULL,
    patient text NOT NULL,
    institution text NOT NULL,
    source text NOT NULL,
    state text NOT NULL,
    lines jsonb NOT NULL,
    total_fen bigint NOT NULL CHECK (total_fen >= 0),
    paid_fen bigint NOT NULL DEFAULT 0,
    refunded_fen bigint NOT NULL DEFAULT 0,
    made timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    paid timestamptz,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (resident, id),
    UNIQUE (resident, key),
    -- Whatever is retried or killed, an order is paid whole and once, and never more is given back.
    CHECK (paid_fen IN (0, total_fen)),
    CHECK (refunded_fen BETWEEN 0 AND paid_fen)
);
-- A channel knows the number alone; it holds 60 random bits.
CREATE INDEX payments_order_id ON payments_order (id);
CREATE INDEX payments_order_made ON payments_order (institution, made DESC);
CREATE INDEX payments_order_due ON payments_order (expires) WHERE state IN ('open', 'paying');

CREATE TABLE payments_payment (
    resident bigint NOT NULL,
    id text NOT NULL,
    order_id text NOT NULL,
    channel text NOT NULL,
    scene text NOT NULL,
    state text NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    link text NOT NULL DEFAULT '',
    number text NOT NULL DEFAULT '',
    made timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    paid timestamptz,
    day date,
    excess boolean NOT NULL DEFAULT false,
    look_at timestamptz,
    looks integer NOT NULL DEFAULT 0,
    PRIMARY KEY (resident, id)
);
CREATE INDEX payments_payment_id ON payments_payment (id);
CREATE INDEX payments_payment_order ON payments_payment (order_id);
CREATE INDEX payments_payment_look ON payments_payment (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX payments_payment_day ON payments_payment (channel, day) WHERE day IS NOT NULL;

CREATE TABLE payments_refund (
    resident bigint NOT NULL,
    id text NOT NULL,
    order_id text NOT NULL,
    payment_id text NOT NULL,
    channel text NOT NULL,
    key text NOT NULL,
    state text NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    reason text NOT NULL,
    asked_by text NOT NULL,
    number text NOT NULL DEFAULT '',
    made timestamptz NOT NULL,
    done timestamptz,
    day date,
    excess boolean NOT NULL DEFAULT false,
    look_at timestamptz,
    looks integer NOT NULL DEFAULT 0,
    PRIMARY KEY (resident, id),
    UNIQUE (resident, key)
);
CREATE INDEX payments_refund_id ON payments_refund (id);
CREATE INDEX payments_refund_order ON payments_refund (order_id);
CREATE INDEX payments_refund_asked ON payments_refund (made) WHERE state = 'asked';
CREATE INDEX payments_refund_look ON payments_refund (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX payments_refund_day ON payments_refund (channel, day) WHERE day IS NOT NULL;

-- What came to the public address of a channel's notices, forged ones as well: what it was taken for, never what it said.
-- no resident: a forged notice is of nobody
CREATE TABLE payments_channel_notice (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    channel text NOT NULL,
    verdict text NOT NULL,
    about text NOT NULL DEFAULT '',
    digest bytea NOT NULL
);
CREATE INDEX payments_channel_notice_at ON payments_channel_notice (at);
