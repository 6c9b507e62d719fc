-- An agent may run elsewhere for this session, or here for another one.

-- The runner it runs on, by its name on the bus, and the key that runner had then; NULL: here.
ALTER TABLE agents ADD COLUMN host TEXT;
ALTER TABLE agents ADD COLUMN host_key TEXT;
-- For whom it runs here, by its name on the bus; NULL: for this session.
ALTER TABLE agents ADD COLUMN owner TEXT;
