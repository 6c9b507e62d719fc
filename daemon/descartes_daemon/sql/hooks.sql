-- add_hook -- it is told of what comes after its cursor
INSERT INTO hooks (id, name, url, command, wanted, secret, allow_private, created_at, delivered_to)
VALUES (:id, :name, :url, :command, :wanted, :secret, :allow_private, :created_at, :delivered_to);

-- remove_hook -- its dead letters go along
DELETE FROM hooks WHERE id = :id;

-- has_hooks -- asked at every start
SELECT EXISTS (SELECT 1 FROM hooks);

-- hooks -- oldest first
SELECT hooks.*, (SELECT count(*) FROM hook_dead WHERE hook = hooks.id) AS dead FROM hooks ORDER BY created_at, id;

-- hook_passed -- events that it does not want
UPDATE hooks SET delivered_to = max(delivered_to, :seq) WHERE id = :id;

-- hook_delivered --
UPDATE hooks SET
    delivered_to = max(delivered_to, :seq), delivered = delivered + 1, delivered_at = :at, tries = 0, next_at = NULL,
    is_failing = 0
WHERE id = :id;

-- hook_failed -- it is tried again
UPDATE hooks SET
    tries = :tries, next_at = :next_at, error = :error, output = :output, failed_at = :at
WHERE id = :id;

-- hook_gave_up -- the event is a dead letter now
UPDATE hooks SET
    delivered_to = max(delivered_to, :seq), tries = 0, next_at = NULL, error = :error, output = :output,
    failed_at = :at, is_failing = 1
WHERE id = :id;

-- hook_disabled --
UPDATE hooks SET
    disabled_at = :at, tries = 0, next_at = NULL, error = :error, output = :output, failed_at = :at, is_failing = 1
WHERE id = :id;

-- hook_enabled -- and tried now
UPDATE hooks SET disabled_at = NULL, next_at = NULL WHERE id = :id;

-- dead_letter -- a kill may have come before its hook knew
INSERT INTO hook_dead (hook, seq, event, body, tries, error, failed_at)
VALUES (:hook, :seq, :event, :body, :tries, :error, :at)
ON CONFLICT DO UPDATE SET tries = excluded.tries, error = excluded.error, failed_at = excluded.failed_at, again = 0;

-- bound_dead_letters -- the oldest go
DELETE FROM hook_dead WHERE hook = :hook AND seq <= (
    SELECT seq FROM hook_dead WHERE hook = :hook ORDER BY seq DESC LIMIT 1 OFFSET :most
);

-- dead_letters -- a page
SELECT * FROM hook_dead
WHERE (:hook IS NULL OR hook = :hook) AND (hook, seq) > (:after_hook, :after_seq) ORDER BY hook, seq LIMIT :limit;

-- dead_letters_again -- what is to be tried once more, oldest first
SELECT * FROM hook_dead WHERE hook = :hook AND again = 1 ORDER BY seq LIMIT 1;

-- count_dead_letters --
SELECT count(*) FROM hook_dead WHERE hook = :hook AND (:seq IS NULL OR seq = :seq);

-- try_again -- all of them, or one
UPDATE hook_dead SET again = 1 WHERE hook = :hook AND (:seq IS NULL OR seq = :seq);

-- letter_delivered --
DELETE FROM hook_dead WHERE hook = :hook AND seq = :seq;

-- letter_delivered_late -- it counts for its hook
UPDATE hooks SET delivered = delivered + 1, delivered_at = :at, is_failing = 0 WHERE id = :id;

-- letter_failed_again --
UPDATE hook_dead SET again = 0, tries = tries + 1, error = :error, failed_at = :at WHERE hook = :hook AND seq = :seq;
