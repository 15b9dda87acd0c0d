-- Which parts of which files `kangyun import` has stored; written in the same transaction as the resources.
CREATE TABLE import_chunk (
    file text NOT NULL,
    start bigint NOT NULL,
    stored integer NOT NULL,
    PRIMARY KEY (file, start)
);
