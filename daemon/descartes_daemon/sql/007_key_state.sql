-- What agents keep under keys, how each key came to its value, and snapshots of it.

-- The only write that changes key state is a row here. One without agent and key is about the session: a restore.
CREATE TABLE state_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent TEXT,
    key TEXT,
    -- Counts the changes of its key, also over deletions: no value can be taken for an earlier one.
    version INTEGER,
    cause TEXT NOT NULL CHECK (cause IN ('set', 'deleted', 'restored', 'imported')),
    -- Whether the key is there afterwards.
    there INTEGER NOT NULL CHECK (there IN (0, 1)),
    -- JSON; NULL where the key is gone, or the change is old.
    value TEXT CHECK (value IS NULL OR json_valid(value)),
    -- Who asked, and what it was taken from.
    evidence TEXT,
    at REAL NOT NULL,
    request_id TEXT,
    -- What it was done together with: the id of a restore.
    part_of TEXT,
    CHECK ((agent IS NULL) = (key IS NULL) AND (key IS NULL) = (version IS NULL))
) STRICT;
CREATE UNIQUE INDEX state_changes_by_key ON state_changes (agent, key, version);
CREATE INDEX state_changes_by_agent ON state_changes (agent, id);
CREATE INDEX state_changes_by_restore ON state_changes (part_of) WHERE part_of IS NOT NULL;

-- What is there now.
CREATE TABLE agent_state (
    agent TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    -- The change that has its value.
    change INTEGER NOT NULL,
    PRIMARY KEY (agent, key)
) STRICT, WITHOUT ROWID;

-- How many keys each agent has: none may have more than 10,000, and to count them each time would be slow.
CREATE TABLE agent_keys (
    agent TEXT NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    id TEXT NOT NULL PRIMARY KEY,
    description TEXT,
    at REAL NOT NULL,
    expires_at REAL,
    -- Who asked for it.
    evidence TEXT,
    request_id TEXT,
    -- How many there are of each in it.
    keys INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    agents INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A snapshot has no values of its own: it holds the changes that have them.
CREATE TABLE snapshot_keys (
    snapshot TEXT NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    agent TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (snapshot, agent, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_keys_by_change ON snapshot_keys (change);

-- How the agents were; that is told, never restored.
CREATE TABLE snapshot_agents (
    snapshot TEXT NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    agent TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (snapshot, agent)
) STRICT, WITHOUT ROWID;

-- The session's own tasks, as their rows were.
CREATE TABLE snapshot_tasks (
    snapshot TEXT NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    complexity TEXT NOT NULL,
    assigned_to TEXT,
    claimed_at REAL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (snapshot, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_dependencies (
    snapshot TEXT NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (snapshot, task, depends_on)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER state_change_exists BEFORE INSERT ON state_changes
WHEN EXISTS (SELECT 1 FROM state_changes WHERE id = new.id)
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

-- Who has not seen the last change does not make the next one.
CREATE TRIGGER state_change_is_next BEFORE INSERT ON state_changes
WHEN new.key IS NOT NULL AND new.version <> 1 + ifnull(
    (SELECT max(version) FROM state_changes WHERE agent = new.agent AND key = new.key), 0
)
BEGIN
    SELECT RAISE(ABORT, 'stale version');
END;

CREATE TRIGGER state_is_counted AFTER INSERT ON agent_state
BEGIN
    INSERT INTO agent_keys (agent, count) VALUES (new.agent, 1) ON CONFLICT (agent) DO UPDATE SET count = count + 1;
    SELECT RAISE(ABORT, 'too many keys') FROM agent_keys WHERE agent = new.agent AND count > 10000;
END;

CREATE TRIGGER state_is_counted_off AFTER DELETE ON agent_state
BEGIN
    UPDATE agent_keys SET count = count - 1 WHERE agent = old.agent;
END;

-- The history is the write: this is the only way a key changes.
CREATE TRIGGER state_is_set AFTER INSERT ON state_changes
WHEN new.there AND new.key IS NOT NULL
BEGIN
    INSERT INTO agent_state (agent, key, version, created_at, updated_at, change)
    VALUES (new.agent, new.key, new.version, new.at, new.at, new.id)
    ON CONFLICT (agent, key) DO UPDATE
    SET version = excluded.version, updated_at = excluded.updated_at, change = excluded.change;
END;

CREATE TRIGGER state_is_deleted AFTER INSERT ON state_changes
WHEN NOT new.there AND new.key IS NOT NULL
BEGIN
    DELETE FROM agent_state WHERE agent = new.agent AND key = new.key;
    SELECT RAISE(ABORT, 'no such key') WHERE changes() = 0;
END;

CREATE TRIGGER state_begins_by_change BEFORE INSERT ON agent_state
WHEN NOT EXISTS (
    SELECT 1 FROM state_changes
    WHERE id = new.change AND agent = new.agent AND key = new.key AND version = new.version AND there
)
BEGIN
    SELECT RAISE(ABORT, 'state changes by a change');
END;

CREATE TRIGGER state_goes_on_by_change BEFORE UPDATE ON agent_state
WHEN new.agent <> old.agent OR new.key <> old.key OR new.version <= old.version OR NOT EXISTS (
    SELECT 1 FROM state_changes
    WHERE id = new.change AND agent = new.agent AND key = new.key AND version = new.version AND there
)
BEGIN
    SELECT RAISE(ABORT, 'state changes by a change');
END;

CREATE TRIGGER state_ends_by_change BEFORE DELETE ON agent_state
WHEN NOT EXISTS (
    SELECT 1 FROM state_changes
    WHERE agent = old.agent AND key = old.key AND version > old.version AND NOT there
)
BEGIN
    SELECT RAISE(ABORT, 'state changes by a change');
END;

-- Of each key the last 20 values are kept, and the last 1000 changes; and whatever a snapshot holds.
CREATE TRIGGER state_fades AFTER INSERT ON state_changes
WHEN new.version > 20
BEGIN
    UPDATE state_changes SET value = NULL
    WHERE agent = new.agent AND key = new.key AND version = new.version - 20 AND value IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM snapshot_keys WHERE change = state_changes.id);
    DELETE FROM state_changes
    WHERE agent = new.agent AND key = new.key AND version = new.version - 1000
        AND NOT EXISTS (SELECT 1 FROM snapshot_keys WHERE change = state_changes.id);
END;

CREATE TRIGGER state_fades_with_snapshot AFTER DELETE ON snapshot_keys
BEGIN
    UPDATE state_changes SET value = NULL
    WHERE id = old.change AND value IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM snapshot_keys WHERE change = old.change)
        AND EXISTS (
            SELECT 1 FROM state_changes
            WHERE agent = old.agent AND key = old.key AND version >= old.version + 20
        );
    DELETE FROM state_changes
    WHERE id = old.change
        AND NOT EXISTS (SELECT 1 FROM snapshot_keys WHERE change = old.change)
        AND EXISTS (
            SELECT 1 FROM state_changes
            WHERE agent = old.agent AND key = old.key AND version >= old.version + 1000
        );
END;

-- What was written of the past stays, but for what fades.
CREATE TRIGGER state_change_changes BEFORE UPDATE ON state_changes
WHEN new.value IS NOT NULL OR new.id <> old.id OR new.agent IS NOT old.agent OR new.key IS NOT old.key
    OR new.version IS NOT old.version OR new.cause <> old.cause OR new.there <> old.there
    OR new.evidence IS NOT old.evidence OR new.at <> old.at OR new.request_id IS NOT old.request_id
    OR new.part_of IS NOT old.part_of
    OR EXISTS (SELECT 1 FROM snapshot_keys WHERE change = old.id)
    OR NOT EXISTS (
        SELECT 1 FROM state_changes WHERE agent = old.agent AND key = old.key AND version >= old.version + 20
    )
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER state_change_goes BEFORE DELETE ON state_changes
WHEN EXISTS (SELECT 1 FROM snapshot_keys WHERE change = old.id)
    OR NOT EXISTS (
        SELECT 1 FROM state_changes WHERE agent = old.agent AND key = old.key AND version >= old.version + 1000
    )
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER snapshot_changes BEFORE UPDATE ON snapshots
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER snapshot_key_changes BEFORE UPDATE ON snapshot_keys
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER snapshots_are_bounded AFTER INSERT ON snapshots
WHEN (SELECT count(*) FROM snapshots) > 1000
BEGIN
    SELECT RAISE(ABORT, 'too many snapshots');
END;
