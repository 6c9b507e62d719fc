"""Tell others of events: by HTTP, or by a command."""
