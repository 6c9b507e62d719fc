"""Agents of this session on other machines: loaded where there is a bus."""
