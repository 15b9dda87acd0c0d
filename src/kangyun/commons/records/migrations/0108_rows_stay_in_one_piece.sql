-- A resident's row has some two kilobytes, just where PostgreSQL begins to compress a row and to lay parts of it elsewhere: that
-- cost a transaction 4 % and each read a second look-up, and saved no room, since names and numbers are sealed and seals do not shrink.
ALTER TABLE resource SET (toast_tuple_target = 4080);
