-- import_task -- of another program's database; what it has that ours has not is kept as metadata
INSERT INTO tasks (id, title, description, status, priority, complexity, assigned_to, created_at, updated_at, metadata)
VALUES (:id, :title, :description, :status, :priority, :complexity, :assigned_to, :created_at, :updated_at, :metadata);

-- import_state -- the next version of a key, as it was at another time
INSERT INTO state_changes (agent, key, version, cause, there, value, evidence, at, request_id)
VALUES (:agent, :key, (
    SELECT 1 + ifnull(max(version), 0) FROM state_changes WHERE agent = :agent AND key = :key
), 'imported', 1, :value, :evidence, :at, :request_id);
