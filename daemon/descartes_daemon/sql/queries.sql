-- add_agent -- what is intended
INSERT INTO agents (
    id, name, state, command, cwd, rows, cols, grace, stop_signal, leave, umask, created_at,
    pid, process_started, boot_id, started_at, ended_at, exit_code, signal, cause, evidence, moved,
    tty, output_from, errors_from, collected_at, stop_grace, limits, limited_by, cgroup, ended_by, usage,
    host, host_key, owner, task
) VALUES (
    :id, :name, :state, :command, :cwd, :rows, :cols, :grace, :stop_signal, :leave, :umask, :created_at,
    :pid, :process_started, :boot_id, :started_at, :ended_at, :exit_code, :signal, :cause, :evidence, :moved,
    :tty, :output_from, :errors_from, :collected_at, :stop_grace, :limits, :limited_by, :cgroup, :ended_by, :usage,
    :host, :host_key, :owner, :task
);

-- move -- the only write that moves an agent
INSERT INTO transitions (agent, was, became, cause, evidence, at, request_id)
VALUES (:agent, :was, :became, :cause, :evidence, :at, :request_id);

-- set_process --
UPDATE agents SET pid = :pid, process_started = :process_started, boot_id = :boot_id WHERE id = :agent;

-- set_started --
UPDATE agents SET started_at = :at WHERE id = :agent;

-- set_elsewhere -- a process of another machine is none to be looked for here
UPDATE agents SET pid = :pid, cwd = :cwd, limited_by = :limited_by WHERE id = :agent;

-- set_ended --
UPDATE agents SET ended_at = :at, exit_code = :exit_code, signal = :signal WHERE id = :agent;

-- set_stop_grace --
UPDATE agents SET stop_grace = :seconds WHERE id = :agent;

-- set_ended_by -- the first limit that was hit
UPDATE agents SET ended_by = :why WHERE id = :agent AND ended_by IS NULL;

-- set_usage --
UPDATE agents SET usage = :usage WHERE id = :agent;

-- set_size --
UPDATE agents SET rows = :rows, cols = :cols WHERE id = :agent;

-- set_output_from -- it never begins earlier again
UPDATE agents SET output_from = max(output_from, :begin) WHERE id = :agent;

-- set_errors_from -- likewise
UPDATE agents SET errors_from = max(errors_from, :begin) WHERE id = :agent;

-- output_anew -- its program has cut it
UPDATE agents SET output_from = :begin WHERE id = :agent;

-- errors_anew -- likewise
UPDATE agents SET errors_from = :begin WHERE id = :agent;

-- set_collected --
UPDATE agents SET collected_at = :at WHERE id = :agent AND collected_at IS NULL;

-- events_gone -- written down before they go; it never gets less
INSERT INTO meta (key, value) VALUES ('events_gone_to', :to)
ON CONFLICT DO UPDATE SET value = CAST(max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)) AS TEXT);

-- prune_events -- a bounded number of those that are to go
DELETE FROM events WHERE seq IN (
    SELECT seq FROM events
    WHERE seq <= (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_gone_to') ORDER BY seq LIMIT :most
);

-- tell -- one event; its seq is the row's
INSERT INTO events (id, at, type, event_type, agent_id, data)
VALUES (:id, :at, :type, :event_type, :agent_id, :data);

-- accept -- a repeat is refused by the key
INSERT INTO requests (id, method, accepted_at) VALUES (:id, :method, :at);

-- answer -- the first answer stays
UPDATE requests SET reply = :reply, answered_at = :at WHERE id = :id AND reply IS NULL;

-- prune_requests --
DELETE FROM requests WHERE accepted_at < :before;

-- typed --
INSERT INTO inputs (agent, at, client, length, data) VALUES (:agent, :at, :client, :length, :data);

-- remain --
INSERT INTO remains (agent, pid, started, kill_at) VALUES (:agent, :pid, :started, :kill_at)
ON CONFLICT DO UPDATE SET kill_at = excluded.kill_at;

-- remain_gone --
DELETE FROM remains WHERE agent = :agent AND pid = :pid AND started = :started;

-- note --
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT DO UPDATE SET value = excluded.value;

-- agents -- oldest first
SELECT *, (SELECT at FROM transitions WHERE id = agents.moved) AS moved_at FROM agents ORDER BY created_at, id;

-- history -- what lists show of each, oldest first; what no row knows is put in its place
SELECT
    id, name, state AS status, NULL AS session_id, host, pid, command, cwd, started_at, ended_at,
    exit_code, signal, 0 AS output_bytes, tty, NULL AS notice, limits, limited_by, ended_by, owner, task, usage,
    output_from, errors_from
FROM agents ORDER BY created_at, id;

-- living_agents -- oldest first; which states are final only the table of lives knows
SELECT *, (SELECT at FROM transitions WHERE id = agents.moved) AS moved_at FROM agents WHERE state NOT IN (SELECT value FROM json_each(:final)) ORDER BY created_at, id;

-- agent --
SELECT *, (SELECT at FROM transitions WHERE id = agents.moved) AS moved_at FROM agents WHERE id = :id;

-- state_of --
SELECT state FROM agents WHERE id = :id;

-- transitions -- oldest first
SELECT * FROM transitions WHERE agent = :agent ORDER BY id;

-- events_after -- not those that are given up, also where a kill left some of them
SELECT * FROM events
WHERE seq > max(:since, ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_gone_to'), 0))
ORDER BY seq LIMIT :limit;

-- last_seq --
SELECT ifnull(max(seq), 0) FROM events;

-- reply_of --
SELECT method, reply FROM requests WHERE id = :id;

-- inputs -- the newest so many, oldest first
SELECT at, client, length FROM (SELECT * FROM inputs WHERE agent = :agent ORDER BY id DESC LIMIT :limit) ORDER BY id;

-- inputs_in_all --
SELECT count(*), ifnull(sum(length), 0) FROM inputs WHERE agent = :agent;

-- remains --
SELECT * FROM remains ORDER BY agent, pid;

-- noted --
SELECT value FROM meta WHERE key = :key;

-- totals --
SELECT (SELECT count(*) FROM agents) AS agents, (SELECT ifnull(sum(length), 0) FROM inputs) AS input_bytes;

-- usage_of_ended -- all of them together
SELECT
    total(json_extract(usage, '$.cpu_seconds')) AS cpu_seconds,
    CAST(total(json_extract(usage, '$.read_bytes')) AS INTEGER) AS read_bytes,
    CAST(total(json_extract(usage, '$.written_bytes')) AS INTEGER) AS written_bytes
FROM agents WHERE usage IS NOT NULL;

-- outputs -- where what each agent said begins
SELECT id, name, state, ended_at, tty, output_from, errors_from, collected_at FROM agents ORDER BY created_at, id;

-- first_event_since -- the newest one stays in any case: the count of all goes on from it
SELECT ifnull(min(seq), (SELECT ifnull(max(seq), 1) FROM events)) FROM events WHERE at >= :at;

-- first_event_at -- and the oldest; where none is so late, what would be the next
SELECT ifnull(min(seq), (SELECT ifnull(max(seq), 0) + 1 FROM events)), (SELECT ifnull(min(seq), 0) FROM events)
FROM events WHERE at >= :at;

-- count_events_to --
SELECT count(*) FROM events WHERE seq <= :to;

-- count_events_given_up --
SELECT count(*) FROM events
WHERE seq <= ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_gone_to'), 0);
