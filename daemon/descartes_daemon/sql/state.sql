-- change_state -- the only write that changes key state; but for those of a restore
INSERT INTO state_changes (agent, key, version, cause, there, value, evidence, at, request_id)
VALUES (:agent, :key, :version, :cause, :there, :value, :evidence, :at, :request_id);

-- state_versions -- the last version of a key, and that which is there
SELECT
    ifnull((SELECT max(version) FROM state_changes WHERE agent = :agent AND key = :key), 0) AS last,
    (SELECT version FROM agent_state WHERE agent = :agent AND key = :key) AS present;

-- state_value --
SELECT agent_state.agent, agent_state.key, agent_state.version, created_at, updated_at, value
FROM agent_state JOIN state_changes ON state_changes.id = change
WHERE agent_state.agent = :agent AND agent_state.key = :key;

-- state_value_at -- as it was by a change
SELECT agent, key, version, there, at, value FROM state_changes
WHERE agent = :agent AND key = :key AND version = :version;

-- state_knows -- whether something is known of an agent that has no row of its own
SELECT 1 FROM state_changes WHERE agent = :agent LIMIT 1;

-- state_of_agent -- in order of keys
SELECT agent_state.agent, agent_state.key, agent_state.version, created_at, updated_at, value
FROM agent_state JOIN state_changes ON state_changes.id = change
WHERE agent_state.agent = :agent AND agent_state.key > :after_key AND agent_state.key >= :prefix
    AND agent_state.key < :prefix || char(1114111) AND (:key IS NULL OR agent_state.key = :key)
ORDER BY agent_state.key LIMIT :limit;

-- state_of_all -- in order of agents and keys
SELECT agent_state.agent, agent_state.key, agent_state.version, created_at, updated_at, value
FROM agent_state JOIN state_changes ON state_changes.id = change
WHERE (agent_state.agent, agent_state.key) > (:after_agent, :after_key) AND agent_state.key >= :prefix
    AND agent_state.key < :prefix || char(1114111) AND (:key IS NULL OR agent_state.key = :key)
ORDER BY agent_state.agent, agent_state.key LIMIT :limit;

-- moves -- of all agents, oldest first
SELECT id, at, agent, was, became, cause, evidence, request_id FROM transitions
WHERE id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
ORDER BY id LIMIT :limit;

-- last_moves -- of all agents, newest first
SELECT id, at, agent, was, became, cause, evidence, request_id FROM transitions
WHERE id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
ORDER BY id DESC LIMIT :limit;

-- moves_of -- one agent's, oldest first
SELECT id, at, agent, was, became, cause, evidence, request_id FROM transitions
WHERE agent = :agent AND id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
ORDER BY id LIMIT :limit;

-- last_moves_of -- one agent's, newest first
SELECT id, at, agent, was, became, cause, evidence, request_id FROM transitions
WHERE agent = :agent AND id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
ORDER BY id DESC LIMIT :limit;

-- changes -- of all keys, oldest first; with what was before
SELECT id, at, agent, key, version, cause, there, evidence, request_id, (
    SELECT there FROM state_changes AS before
    WHERE before.agent = now.agent AND before.key = now.key AND before.version = now.version - 1
) AS was_there
FROM state_changes AS now
WHERE id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
    AND (:key IS NULL OR key = :key)
ORDER BY id LIMIT :limit;

-- last_changes -- of all keys, newest first
SELECT id, at, agent, key, version, cause, there, evidence, request_id, (
    SELECT there FROM state_changes AS before
    WHERE before.agent = now.agent AND before.key = now.key AND before.version = now.version - 1
) AS was_there
FROM state_changes AS now
WHERE id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
    AND (:key IS NULL OR key = :key)
ORDER BY id DESC LIMIT :limit;

-- changes_of -- of one agent's keys, oldest first
SELECT id, at, agent, key, version, cause, there, evidence, request_id, (
    SELECT there FROM state_changes AS before
    WHERE before.agent = now.agent AND before.key = now.key AND before.version = now.version - 1
) AS was_there
FROM state_changes AS now
WHERE agent = :agent AND id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
    AND (:key IS NULL OR key = :key)
ORDER BY id LIMIT :limit;

-- last_changes_of -- of one agent's keys, newest first
SELECT id, at, agent, key, version, cause, there, evidence, request_id, (
    SELECT there FROM state_changes AS before
    WHERE before.agent = now.agent AND before.key = now.key AND before.version = now.version - 1
) AS was_there
FROM state_changes AS now
WHERE agent = :agent AND id > :after AND at >= :since AND at < :until AND (:cause IS NULL OR cause = :cause)
    AND (:key IS NULL OR key = :key)
ORDER BY id DESC LIMIT :limit;

-- snapshots -- oldest first; not those that have expired
SELECT * FROM snapshots WHERE expires_at IS NULL OR expires_at > :now ORDER BY at, id;

-- snapshots_named -- by an id or its beginning
SELECT * FROM snapshots
WHERE (expires_at IS NULL OR expires_at > :now) AND substr(id, 1, length(:name)) = :name ORDER BY id LIMIT 10;

-- snapshot_asked_by -- that which a request has made
SELECT * FROM snapshots WHERE request_id = :request_id;

-- snapshot_agents -- how they were
SELECT agent AS id, name, state AS status FROM snapshot_agents WHERE snapshot = :snapshot ORDER BY agent;

-- snapshots_expired -- how many are to go
SELECT count(*) AS count FROM snapshots WHERE expires_at <= :now;

-- expire_snapshots --
DELETE FROM snapshots WHERE expires_at <= :now;

-- forget_snapshot --
DELETE FROM snapshots WHERE id = :snapshot;

-- take_snapshot -- its parts follow in the same commit
INSERT INTO snapshots (id, description, at, expires_at, evidence, request_id, keys, tasks, agents)
VALUES (
    :snapshot, :description, :at, :expires_at, :evidence, :request_id,
    (SELECT count(*) FROM agent_state), (SELECT count(*) FROM tasks), (SELECT count(*) FROM agents)
);

-- take_keys -- what agents keep
INSERT INTO snapshot_keys (snapshot, agent, key, version, change)
SELECT :snapshot, agent, key, version, change FROM agent_state;

-- take_agents -- how they are
INSERT INTO snapshot_agents (snapshot, agent, name, state) SELECT :snapshot, id, name, state FROM agents;

-- take_tasks -- the session's own
INSERT INTO snapshot_tasks (
    snapshot, id, title, description, status, priority, complexity, assigned_to, claimed_at, created_at, updated_at,
    metadata
)
SELECT
    :snapshot, id, title, description, status, priority, complexity, assigned_to, claimed_at, created_at, updated_at,
    metadata
FROM tasks;

-- take_dependencies --
INSERT INTO snapshot_dependencies (snapshot, task, depends_on, created_at)
SELECT :snapshot, task, depends_on, created_at FROM task_dependencies;

-- agents_of_snapshot -- whose keys a restore may touch; `final` says who has ended, others never had a life here
SELECT agent FROM (
    SELECT agent FROM snapshot_agents WHERE snapshot = :snapshot
    UNION SELECT agent FROM snapshot_keys WHERE snapshot = :snapshot
) LEFT JOIN agents ON agents.id = agent
WHERE agents.id IS NULL OR agents.state IN (SELECT value FROM json_each(:final));

-- restore_begins -- written first: it counts what is to change of the tasks, and says who lives
-- Refused, as it has no cause, where the snapshot has gone meanwhile: all that is here would seem to be too much.
INSERT INTO state_changes (cause, there, value, evidence, at, request_id, part_of)
VALUES (
    (SELECT 'restored' FROM snapshots WHERE id = :snapshot), 1,
    json_object(
        'snapshot_id', :snapshot,
        'living', json(:living),
        'tasks_restored', (
            SELECT count(*) FROM snapshot_tasks AS past LEFT JOIN tasks AS present ON present.id = past.id
            WHERE past.snapshot = :snapshot AND (
                past.title, past.description, past.status, past.priority, past.complexity, past.assigned_to,
                past.claimed_at, past.metadata
            ) IS NOT (
                present.title, present.description, present.status, present.priority, present.complexity,
                present.assigned_to, present.claimed_at, present.metadata
            )
        ),
        'tasks_deleted', (
            SELECT count(*) FROM tasks WHERE id NOT IN (SELECT id FROM snapshot_tasks WHERE snapshot = :snapshot)
        )
    ),
    :evidence, :at, :request_id, :restore
);

-- restore_keys -- of agents that have ended: what is there no more, or has another value
INSERT INTO state_changes (agent, key, version, cause, there, value, evidence, at, request_id, part_of)
SELECT
    past.agent, past.key,
    1 + ifnull((SELECT max(version) FROM state_changes WHERE agent = past.agent AND key = past.key), 0),
    'restored', 1, kept.value, :evidence, :at, :request_id, :restore
FROM snapshot_keys AS past JOIN state_changes AS kept ON kept.id = past.change
LEFT JOIN agent_state AS present ON present.agent = past.agent AND present.key = past.key
WHERE past.snapshot = :snapshot AND past.agent IN (SELECT value FROM json_each(:agents))
    AND present.change IS NOT past.change
    AND (SELECT value FROM state_changes WHERE id = present.change) IS NOT kept.value;

-- restore_absence -- of agents that have ended: what was not there
INSERT INTO state_changes (agent, key, version, cause, there, value, evidence, at, request_id, part_of)
SELECT
    present.agent, present.key,
    1 + (SELECT max(version) FROM state_changes WHERE agent = present.agent AND key = present.key),
    'restored', 0, NULL, :evidence, :at, :request_id, :restore
FROM agent_state AS present
WHERE present.agent IN (SELECT value FROM json_each(:agents)) AND NOT EXISTS (
    SELECT 1 FROM snapshot_keys WHERE snapshot = :snapshot AND agent = present.agent AND key = present.key
);

-- restore_no_dependencies -- before the tasks: those that go may be needed by others
DELETE FROM task_dependencies;

-- restore_no_tasks -- those that were not there
DELETE FROM tasks WHERE id NOT IN (SELECT id FROM snapshot_tasks WHERE snapshot = :snapshot);

-- restore_tasks --
INSERT INTO tasks (
    id, title, description, status, priority, complexity, assigned_to, claimed_at, created_at, updated_at, metadata
)
SELECT
    id, title, description, status, priority, complexity, assigned_to, claimed_at, created_at, updated_at, metadata
FROM snapshot_tasks WHERE snapshot = :snapshot
ON CONFLICT (id) DO UPDATE SET
    title = excluded.title, description = excluded.description, status = excluded.status,
    priority = excluded.priority, complexity = excluded.complexity, assigned_to = excluded.assigned_to,
    claimed_at = excluded.claimed_at, created_at = excluded.created_at, updated_at = excluded.updated_at,
    metadata = excluded.metadata;

-- restore_dependencies --
INSERT INTO task_dependencies (task, depends_on, created_at)
SELECT task, depends_on, created_at FROM snapshot_dependencies WHERE snapshot = :snapshot;

-- restored -- what came of a restore
SELECT value, part_of FROM state_changes WHERE part_of = :restore AND agent IS NULL;

-- restore_asked_by -- that which a request has made
SELECT part_of FROM state_changes WHERE request_id = :request_id AND part_of IS NOT NULL AND agent IS NULL;

-- restored_keys -- of each agent
SELECT agent, total(there) AS keys_set, total(NOT there) AS keys_deleted FROM state_changes
WHERE part_of = :restore AND agent IS NOT NULL GROUP BY agent ORDER BY agent;
