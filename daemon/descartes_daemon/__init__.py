"""One session's daemon."""
