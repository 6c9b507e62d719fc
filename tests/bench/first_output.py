"""How long until a new agent is heard."""

from __future__ import annotations

from descartes_local.rpc_client import Connection
from tests.bench.figures import Figure, interleaved, median, ms
from tests.bench.ground import Ground, running_session
from tests.bench.terminals import first_byte

ROUNDS = 50
COMMAND = ["/bin/echo", "hello"]


def measure() -> list[Figure]:
    """Spawn and read on an open connection, beside a bare terminal."""
    with running_session() as ground, ground.connect() as connection:
        ours, bare = interleaved(ROUNDS, lambda: _heard(ground, connection), lambda: first_byte(COMMAND))
    more = (median(ours) - median(bare)) * 1e3
    return [
        Figure(
            "an agent's first output, open connection",
            ms(ours),
            f"bare PTY {ms(bare)}",
            "≤ bare PTY + 15 ms",
            f"+ {more:.1f} ms",
        )
    ]


def _heard(ground: Ground, connection: Connection) -> None:
    agent_id = ground.spawn(connection, COMMAND)
    answer = connection.call("agent.output", {"agent_id": agent_id, "offset": 0, "wait": 10})
    assert answer["data"], "nothing was heard"
