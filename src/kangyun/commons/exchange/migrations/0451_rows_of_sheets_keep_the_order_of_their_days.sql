-- Until when the sheets of a sender have told of a resident: an older row that comes later must not put older values over newer ones.
--   resident    key of the Patient
--   sender_key  as in raw_message
--   told        the latest day, or moment, that a row of the sender is about
CREATE TABLE row_told (
    resident bigint NOT NULL,
    sender_key bigint NOT NULL,
    told timestamptz NOT NULL,
    PRIMARY KEY (resident, sender_key)
);
