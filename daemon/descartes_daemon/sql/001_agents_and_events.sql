-- Agents, how they moved, what was told of it, and what was asked.

CREATE TABLE agents (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- The same list as agent_life.State; a test holds them together.
    state TEXT NOT NULL CHECK (state IN (
        'initializing', 'running', 'paused', 'stopping', 'lost', 'completed', 'failed', 'terminated'
    )),
    command TEXT NOT NULL CHECK (json_type(command) = 'array'),
    cwd TEXT NOT NULL,
    rows INTEGER NOT NULL,
    cols INTEGER NOT NULL,
    grace REAL NOT NULL,
    stop_signal TEXT NOT NULL,
    leave INTEGER NOT NULL CHECK (leave IN (0, 1)),
    umask INTEGER NOT NULL,
    created_at REAL NOT NULL,
    -- Its process is believed only with its start time, within one boot.
    pid INTEGER,
    process_started INTEGER,
    boot_id TEXT,
    started_at REAL,
    ended_at REAL,
    exit_code INTEGER,
    signal TEXT,
    cause TEXT,
    evidence TEXT,
    -- The transition that led here.
    moved INTEGER REFERENCES transitions (id)
-- Without a rowid there is no second key by which INSERT OR REPLACE could push an agent out.
) STRICT, WITHOUT ROWID;

CREATE TABLE transitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent TEXT NOT NULL REFERENCES agents (id),
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    cause TEXT NOT NULL,
    evidence TEXT,
    at REAL NOT NULL,
    request_id TEXT
) STRICT;
CREATE INDEX transitions_by_agent ON transitions (agent, id);

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    at REAL NOT NULL,
    type TEXT NOT NULL,
    event_type TEXT NOT NULL,
    agent_id TEXT,
    data TEXT NOT NULL CHECK (json_type(data) = 'object')
) STRICT;

CREATE TABLE requests (
    id TEXT NOT NULL PRIMARY KEY,
    method TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    reply TEXT CHECK (json_type(reply) = 'object'),
    answered_at REAL
) STRICT;
CREATE INDEX requests_by_age ON requests (accepted_at);

CREATE TABLE inputs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent TEXT NOT NULL REFERENCES agents (id),
    at REAL NOT NULL,
    client TEXT NOT NULL,
    length INTEGER NOT NULL
) STRICT;

-- What an agent left behind and is still to be ended.
CREATE TABLE remains (
    agent TEXT NOT NULL REFERENCES agents (id),
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    kill_at REAL,
    PRIMARY KEY (agent, pid, started)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- An agent begins once, at the beginning.
CREATE TRIGGER agent_exists BEFORE INSERT ON agents
WHEN EXISTS (SELECT 1 FROM agents WHERE id = new.id)
BEGIN
    SELECT RAISE(ABORT, 'agent exists');
END;

CREATE TRIGGER agent_begins BEFORE INSERT ON agents
WHEN new.state <> 'initializing' OR new.cause IS NOT NULL OR new.evidence IS NOT NULL OR new.moved IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an agent begins initializing');
END;

CREATE TRIGGER agent_stays BEFORE DELETE ON agents
BEGIN
    SELECT RAISE(ABORT, 'agents are kept');
END;

CREATE TRIGGER agent_keeps_its_id BEFORE UPDATE OF id ON agents
BEGIN
    SELECT RAISE(ABORT, 'an agent keeps its id');
END;

-- The history is the write: this is the only way an agent moves.
CREATE TRIGGER agent_moves AFTER INSERT ON transitions
BEGIN
    UPDATE agents SET state = new.became, cause = new.cause, evidence = new.evidence, moved = new.id
    WHERE id = new.agent AND state = new.was;
    SELECT RAISE(ABORT, 'stale state') WHERE changes() = 0;
END;

-- A row in the history leads nowhere a second time: its number must be above the last one that moved the agent.
CREATE TRIGGER agent_moves_by_transition BEFORE UPDATE OF state, cause, evidence, moved ON agents
WHEN NOT EXISTS (
    SELECT 1 FROM transitions
    WHERE id = new.moved AND id > ifnull(old.moved, 0) AND agent = old.id AND was = old.state AND became = new.state
        AND cause = new.cause AND evidence IS new.evidence
)
BEGIN
    SELECT RAISE(ABORT, 'an agent moves by a transition');
END;

-- What was written of the past stays. (REPLACE deletes without telling a DELETE trigger, so it is met at the door.)
CREATE TRIGGER transition_exists BEFORE INSERT ON transitions
WHEN EXISTS (SELECT 1 FROM transitions WHERE id = new.id)
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER transition_changes BEFORE UPDATE ON transitions
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER transition_goes BEFORE DELETE ON transitions
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER event_exists BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE seq = new.seq)
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER event_changes BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;

CREATE TRIGGER event_goes BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;
