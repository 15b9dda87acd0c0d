-- Bodies are sealed (0 as received, of older versions; 1 sealed; 2 compressed, then sealed); what statistics need of a
-- message stands beside it, so that no page ever opens a body to count. An edited version points at what it edits.
ALTER TABLE raw_message
    ADD COLUMN sealed smallint NOT NULL DEFAULT 0,
    ADD COLUMN channel text NOT NULL DEFAULT '',
    ADD COLUMN origin text NOT NULL DEFAULT '',
    ADD COLUMN occurred timestamptz,
    ADD COLUMN asked integer NOT NULL DEFAULT 0,
    ADD COLUMN filled integer NOT NULL DEFAULT 0,
    ADD COLUMN codes integer NOT NULL DEFAULT 0,
    ADD COLUMN coded integer NOT NULL DEFAULT 0,
    ADD COLUMN matching text NOT NULL DEFAULT '',
    ADD COLUMN entries integer NOT NULL DEFAULT 0,
    ADD COLUMN edits bigint,
    ADD COLUMN successor bigint;
ALTER TABLE raw_message DROP CONSTRAINT raw_message_state_check;
ALTER TABLE raw_message ADD CONSTRAINT raw_message_state_known
    CHECK (state IN ('received', 'stored', 'quarantined', 'duplicate', 'dismissed'));
CREATE INDEX raw_message_plain ON raw_message (id) WHERE sealed = 0 AND body IS NOT NULL;
-- Most messages are stored and never looked for by state; times rise with their place in the table.
DROP INDEX raw_message_state;
CREATE INDEX raw_message_held ON raw_message (state, id) WHERE state IN ('quarantined', 'duplicate', 'dismissed');
DROP INDEX raw_message_received;
CREATE INDEX raw_message_received ON raw_message USING brin (received) WITH (pages_per_range = 32);
CREATE INDEX raw_message_handled ON raw_message USING brin (handled) WITH (pages_per_range = 32);

-- What people did to a message, and when: edited, replayed, dismissed, stopped, resumed.
-- no resident: it belongs to a kept message and goes with its sender
CREATE TABLE message_note (
    sender_key bigint NOT NULL,
    message bigint NOT NULL,
    moment timestamptz NOT NULL,
    number integer NOT NULL,
    actor text NOT NULL,
    act text NOT NULL CHECK (act IN ('edited', 'edit-of', 'replayed', 'dismissed', 'reopened', 'stopped', 'resumed')),
    said text NOT NULL DEFAULT '',
    PRIMARY KEY (sender_key, message, number)
);

-- Senders whose messages are not tried again until a person says so.
-- no resident: it counts senders
CREATE TABLE sender_pause (
    sender_key bigint PRIMARY KEY,
    sender text NOT NULL,
    since timestamptz NOT NULL,
    actor text NOT NULL
);

-- One replay of many messages: which, how far, with what result. It ends at the last message that stood there when it began.
CREATE SEQUENCE replay_run_id AS bigint;

-- no resident: it counts messages
CREATE TABLE replay_run (
    id bigint PRIMARY KEY DEFAULT nextval('replay_run_id'),
    sender text,
    reason text,
    form text,
    last bigint NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    total integer NOT NULL,
    done integer NOT NULL DEFAULT 0,
    stored integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'stopped')),
    actor text NOT NULL,
    started timestamptz NOT NULL,
    ended timestamptz
);
