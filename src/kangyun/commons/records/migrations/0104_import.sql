-- Which parts of which files `kangyun import` has stored; written in the same transaction as the resources.
-- no resident: a piece of a file holds many residents.
CREATE TABLE import_chunk (
    file text NOT NULL,
    start bigint NOT NULL,
    stored integer NOT NULL,
    PRIMARY KEY (file, start)
);
