-- inputs_after -- oldest first
SELECT id, at, client, length, data FROM inputs WHERE agent = :agent AND id > :after ORDER BY id LIMIT :limit;
