"""Terminals as they were recorded: read, hidden, drawn, written."""
