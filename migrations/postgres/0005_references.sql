-- The journal has no gap and loses nothing, so that an entry is there if its number is within the journal's
-- range: one look a statement instead of one a row.
CREATE OR REPLACE FUNCTION seq_refers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first BIGINT; last BIGINT;
BEGIN
    SELECT min(seq), max(seq) INTO first, last FROM added;
    IF first < 1 OR last > (SELECT coalesce(max(seq), 0) FROM journal) THEN
        RAISE foreign_key_violation USING MESSAGE = TG_TABLE_NAME || ' refers to an entry that is not there';
    END IF;
    RETURN NULL;
END $$;
