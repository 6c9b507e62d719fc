"""What a session remembers of its agents beside their lives."""
