-- scud_tasks -- as they were last told
SELECT task FROM scud_tasks ORDER BY place, task_id;

-- put_scud_task --
INSERT INTO scud_tasks (task_id, place, task) VALUES (:task_id, :place, :task)
ON CONFLICT DO UPDATE SET place = excluded.place, task = excluded.task;

-- forget_scud_task --
DELETE FROM scud_tasks WHERE task_id = :task_id;

-- own_tasks -- in the order in which they were added
SELECT id, title, description, status, priority, complexity, assigned_to, claimed_at FROM tasks ORDER BY created_at, id;

-- own_needs --
SELECT task, depends_on FROM task_dependencies ORDER BY created_at, depends_on;

-- own_task_count --
SELECT count(*) FROM tasks;

-- next_own_id -- numbers only; others have made up ids of their own
SELECT CAST(ifnull(max(CAST(id AS INTEGER)), 0) + 1 AS TEXT) AS id FROM tasks
WHERE id NOT GLOB '*[^0-9]*' AND length(id) < 10;

-- add_own_task --
INSERT INTO tasks (id, title, description, status, priority, complexity, assigned_to, created_at, updated_at)
VALUES (:id, :title, :description, :status, :priority, :complexity, :assigned_to, :at, :at);

-- update_own_task --
UPDATE tasks SET
    title = :title, description = :description, status = :status, priority = :priority, complexity = :complexity,
    assigned_to = :assigned_to, updated_at = :at
WHERE id = :id;

-- claim_own_task --
UPDATE tasks SET claimed_at = :at WHERE id = :id;

-- own_task_needs --
INSERT OR IGNORE INTO task_dependencies (task, depends_on, created_at) VALUES (:task, :depends_on, :at);

-- own_task_needs_nothing --
DELETE FROM task_dependencies WHERE task = :task;

-- agents_of_task -- oldest first
SELECT id FROM agents WHERE task = :task ORDER BY created_at, id;
