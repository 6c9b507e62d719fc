-- What an agent may take, who holds it within that, what it took, and which limit ended it.

-- {memory, cpus, pids, timeout}; NULL: none was asked for.
ALTER TABLE agents ADD COLUMN limits TEXT CHECK (json_type(limits) = 'object');
-- The kernel by a cgroup, the daemon by looking, or each some of them.
ALTER TABLE agents ADD COLUMN limited_by TEXT CHECK (limited_by IN ('cgroup', 'daemon', 'both'));
-- The directory of its cgroup, within one boot.
ALTER TABLE agents ADD COLUMN cgroup TEXT;
-- Which limit ended it, in words.
ALTER TABLE agents ADD COLUMN ended_by TEXT;
-- What it has taken, as far as it was counted.
ALTER TABLE agents ADD COLUMN usage TEXT CHECK (json_type(usage) = 'object');
