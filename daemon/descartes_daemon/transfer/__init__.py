"""Take a session elsewhere in one file."""
