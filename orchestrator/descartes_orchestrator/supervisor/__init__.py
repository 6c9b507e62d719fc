"""Keeps the sockets and descriptors of all daemons, and restarts them."""
