-- change_state -- the only write that changes key state
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
