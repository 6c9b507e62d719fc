"""The fork server: one process that has loaded a daemon's code, and forks daemons when asked."""
