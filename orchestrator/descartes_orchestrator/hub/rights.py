"""Which role may send which message to whom."""

from __future__ import annotations

from descartes_core.bus import messages as m

#: (from, to): what else they have to say to one another goes through daemons.
MAY_SEND = frozenset(
    {("client", "daemon"), ("daemon", "runner"), ("daemon", "client"), ("runner", "daemon")},
)

#: What a client may ask a daemon.
OF_CLIENTS = (
    m.SpawnRequest,
    m.ControlCommand,
    m.ListAgentsRequest,
    m.BatchControlCommand,
    m.CustomActionRequest,
    m.OutputQueryRequest,
    m.HealthCheckRequest,
    m.Credit,
)
#: Asked of nobody by name, these are meant for the daemon; a health check is the hub's own.
FOR_THE_DAEMON = tuple(kind for kind in OF_CLIENTS if kind is not m.HealthCheckRequest)

#: Of whom each role is told: its state, and when that changes.
HEARS_OF = {"daemon": frozenset({"runner", "client"}), "runner": frozenset({"daemon"}), "client": frozenset[str]()}
#: Whom each may ask for.
MAY_LIST = {
    "daemon": frozenset({"runner", "client"}),
    "runner": frozenset({"daemon"}),
    "client": frozenset({"runner", "daemon"}),
}


def refusal(sender: str, receiver: str) -> str | None:
    """Say why one role may not send anything to another; None where it may."""
    if (sender, receiver) in MAY_SEND:
        return None
    allowed = sorted(to for role, to in MAY_SEND if role == sender)
    return f"a {sender} speaks to {' and '.join(f'{one}s' for one in allowed)}, and to no {receiver}"
