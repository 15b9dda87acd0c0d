-- How far the change feed had come on each day, so that changes can be dropped by age without a time in every row.
-- no resident: one row a day.
CREATE TABLE change_mark (
    day date PRIMARY KEY,
    seq bigint NOT NULL
);
