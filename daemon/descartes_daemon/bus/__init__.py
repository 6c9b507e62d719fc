"""The bus, as daemons and runners belong to it."""
