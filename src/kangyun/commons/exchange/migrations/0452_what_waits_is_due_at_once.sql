-- Our clock counts milliseconds: what was put down with a part of one was not yet due for whoever looked within the same.
ALTER TABLE outbound ALTER COLUMN next_try SET DEFAULT date_trunc('milliseconds', clock_timestamp());
ALTER TABLE upload ALTER COLUMN next_try SET DEFAULT date_trunc('milliseconds', clock_timestamp());
