-- An answer leaves as soon as its event is durable in a journal on the machine that gives it; the trail takes events from there
-- in larger groups. How far each journal has come stands here, written together with its events: so after an accident nothing
-- comes twice and nothing is left out.
-- no resident: one row for a process that runs, or was ended by force and not yet cleared up after.
CREATE TABLE audit_journal (
    name text COLLATE "C" PRIMARY KEY,
    upto bigint NOT NULL
) WITH (fillfactor = 50);
