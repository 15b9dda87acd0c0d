-- Processes remember what lies below an institution; whoever changes it tells them, on the channel of what they listen to anyway.
CREATE FUNCTION access_houses_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('access_revoked', 'institutions');
    RETURN NULL;
END $$;

CREATE TRIGGER access_institution_new AFTER INSERT OR DELETE ON access_institution
    FOR EACH ROW EXECUTE FUNCTION access_houses_changed();
CREATE TRIGGER access_institution_moved AFTER UPDATE ON access_institution
    FOR EACH ROW WHEN (OLD.parent IS DISTINCT FROM NEW.parent) EXECUTE FUNCTION access_houses_changed();
