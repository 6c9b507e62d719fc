"""The ROUTER of the bus: who may come in, who is there, and what goes to whom."""
