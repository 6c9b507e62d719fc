"""The ROUTER of the bus: who may come in, and what goes to whom."""
