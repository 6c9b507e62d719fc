-- What was typed, where terminals.keep_input is set.

ALTER TABLE inputs ADD COLUMN data BLOB;
