"""Many workspaces, one user."""
