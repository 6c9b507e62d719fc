"""Sockets and descriptors in keeping, starts, restarts."""
