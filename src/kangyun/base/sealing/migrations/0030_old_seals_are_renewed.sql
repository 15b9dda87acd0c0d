-- How far each purpose of sealing has been gone through with a version of its key.
--   key    the version of the pass; `place` is empty before its first page, `done` when it ended
--   first  when any pass ended for the first time: from then on nothing is kept in the open
-- no resident: one row a purpose.
CREATE TABLE sealing_pass (
    purpose text PRIMARY KEY,
    key text NOT NULL,
    place text NOT NULL DEFAULT '',
    seen bigint NOT NULL DEFAULT 0,
    renewed bigint NOT NULL DEFAULT 0,
    done timestamptz,
    first timestamptz
);
