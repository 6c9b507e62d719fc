"""SCUD's tasks, as text and as rules."""
