-- A stop may have a grace of its own, which the next daemon must know, too.

-- Seconds between the stop signal and KILL as the stop asked for; NULL: the agent's own.
ALTER TABLE agents ADD COLUMN stop_grace REAL;
