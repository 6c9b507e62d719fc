-- Agents without a terminal, output that was dropped, and events that are kept no more.

-- Without a terminal stdin is a pipe, and stdout and stderr are files that the program itself writes.
ALTER TABLE agents ADD COLUMN tty INTEGER NOT NULL DEFAULT 1 CHECK (tty IN (0, 1));
-- What lies before these offsets was dropped.
ALTER TABLE agents ADD COLUMN output_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN errors_from INTEGER NOT NULL DEFAULT 0;
-- When its output was removed as old (Unix seconds); its history stays.
ALTER TABLE agents ADD COLUMN collected_at REAL;

CREATE INDEX inputs_by_agent ON inputs (agent, id);

-- Old events may go, oldest first, once it is written down that they do: who asks for them is told of the gap.
DROP TRIGGER event_goes;
CREATE TRIGGER event_goes BEFORE DELETE ON events
WHEN old.seq > ifnull((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_gone_to'), 0)
BEGIN
    SELECT RAISE(ABORT, 'the past stays');
END;
