-- This session's own tasks, what was last told of the workspace's tree, and the task an agent carries.

-- The task it was started for, as "phase:id"; NULL: none.
ALTER TABLE agents ADD COLUMN task TEXT;

CREATE TABLE tasks (
    id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 100),
    title TEXT NOT NULL CHECK (length(title) >= 1),
    description TEXT NOT NULL DEFAULT '',
    -- The same lists as in scud.mapping; a test holds them together.
    status TEXT NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'in_progress', 'done', 'blocked')),
    priority TEXT NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    complexity TEXT NOT NULL DEFAULT 'moderate'
        CHECK (complexity IN ('trivial', 'simple', 'moderate', 'complex', 'epic')),
    assigned_to TEXT,
    claimed_at REAL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    -- What another program wrote there besides.
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_type(metadata) = 'object')
) STRICT, WITHOUT ROWID;

CREATE TABLE task_dependencies (
    task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    created_at REAL NOT NULL,
    PRIMARY KEY (task, depends_on),
    CHECK (task <> depends_on)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_dependencies_by_needed ON task_dependencies (depends_on);

-- The tasks of the workspace's tree as they were last told, so that a change is told once, whoever lived meanwhile.
CREATE TABLE scud_tasks (
    -- "phase:id".
    task_id TEXT NOT NULL PRIMARY KEY,
    -- Where it stands among all.
    place INTEGER NOT NULL,
    task TEXT NOT NULL CHECK (json_type(task) = 'object')
) STRICT, WITHOUT ROWID;
