-- Every message as it arrived, before anything is made of it. Nothing is stored twice: a repetition keeps no bytes.
-- id rises with arrival; next_try is when the sweep may take a message that nobody finished.
CREATE SEQUENCE raw_message_id AS bigint;

-- no resident: a message is kept before anybody knows whom it concerns; it is spread by its sender instead
CREATE TABLE raw_message (
    sender_key bigint NOT NULL,
    id bigint NOT NULL DEFAULT nextval('raw_message_id'),
    sender text NOT NULL,
    control_id text NOT NULL,
    content_hash bytea NOT NULL,
    form text NOT NULL,
    kind text NOT NULL,
    body bytea,
    size integer NOT NULL,
    original boolean NOT NULL,
    repeats bigint,
    received timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'stored', 'quarantined', 'duplicate')),
    handled timestamptz,
    tries integer NOT NULL DEFAULT 1,
    next_try timestamptz,
    reason text,
    patient text,
    PRIMARY KEY (sender_key, id)
);
-- One message for each control id of a sender; a repetition, or a second content under the same id, is not original.
CREATE UNIQUE INDEX raw_message_control ON raw_message (sender_key, control_id) WHERE original;
CREATE INDEX raw_message_aside ON raw_message (sender_key, control_id) WHERE NOT original;
CREATE INDEX raw_message_number ON raw_message (id);
CREATE INDEX raw_message_state ON raw_message (state, id);
CREATE INDEX raw_message_received ON raw_message (received);
CREATE INDEX raw_message_waiting ON raw_message (next_try) WHERE state = 'received';
