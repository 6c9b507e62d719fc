"""Hooks: who is told of events, how it is delivered, and what could not be."""
