"""Terminals that are shown again."""
