"""The bus without sockets and clock: its messages, their bytes, and the rules of a conversation."""
