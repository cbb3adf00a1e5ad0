-- What changes every half minute is in no index, so that a row's new version has room beside the old one; and a look
-- at who is due reads an index alone.
DROP INDEX worker_leases_holder;
CREATE INDEX worker_leases_holder ON worker_leases (holder);
ALTER TABLE worker_leases SET (fillfactor = 60);
DROP INDEX workers_active;
CREATE INDEX workers_active ON workers (sid, version, active) WHERE active = 1;
