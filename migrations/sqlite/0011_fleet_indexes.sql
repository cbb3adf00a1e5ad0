-- What changes every half minute is in no index, and a look at who is due reads an index alone: a fleet that sleeps is
-- to cost next to nothing.
DROP INDEX worker_leases_holder;
CREATE INDEX worker_leases_holder ON worker_leases (holder);
DROP INDEX workers_active;
CREATE INDEX workers_active ON workers (sid, version, active) WHERE active = 1;
