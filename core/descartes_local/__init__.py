"""What daemon and orchestrator share of this machine: files, locks, processes."""
