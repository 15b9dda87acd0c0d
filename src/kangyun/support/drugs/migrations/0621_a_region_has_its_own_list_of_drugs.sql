-- A region's own list over the built-in catalogue. body: the row with the keys of rules/catalogue, as JSON.
-- no resident: a list of drugs
CREATE TABLE drugs_listed (
    code text COLLATE "C" PRIMARY KEY,
    body text NOT NULL
);

-- Which list it is; the newest row counts. id is the edition by which processes know that the list has changed.
-- no resident: when lists were loaded
CREATE TABLE drugs_edition (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    file text NOT NULL,
    rows integer NOT NULL
);
