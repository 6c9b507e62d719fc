-- Who is told of events, how far that has come, and what could not be told.

CREATE TABLE hooks (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT,
    command TEXT CHECK (json_type(command) = 'array'),
    -- Which events: {"on": [...], "agent_ids": [...]}.
    wanted TEXT NOT NULL CHECK (json_type(wanted) = 'object'),
    secret TEXT NOT NULL,
    allow_private INTEGER NOT NULL CHECK (allow_private IN (0, 1)),
    created_at REAL NOT NULL,
    -- The cursor: written once an event is delivered or given up, so a kill repeats at most one.
    delivered_to INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    delivered_at REAL,
    -- Of the event after the cursor.
    tries INTEGER NOT NULL DEFAULT 0,
    next_at REAL,
    -- Of the last failure.
    error TEXT,
    output TEXT,
    failed_at REAL,
    -- Told as failing, and nothing delivered since.
    is_failing INTEGER NOT NULL DEFAULT 0 CHECK (is_failing IN (0, 1)),
    disabled_at REAL,
    CHECK ((url IS NULL) <> (command IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE hook_dead (
    hook TEXT NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    tries INTEGER NOT NULL,
    error TEXT NOT NULL,
    failed_at REAL NOT NULL,
    -- Somebody asked for another try.
    again INTEGER NOT NULL DEFAULT 0 CHECK (again IN (0, 1)),
    PRIMARY KEY (hook, seq)
) STRICT, WITHOUT ROWID;
