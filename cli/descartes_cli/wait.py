"""Wait for an agent's end."""

from __future__ import annotations

import time
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import exit_status
from descartes_cli.client import read as call
from descartes_cli.finding import find_agent
from descartes_cli.render import is_unknown, print_json, say_wrong
from descartes_core.errors import DeadlineOver
from descartes_core.ids import short
from descartes_local.home import find_home

#: One call waits this long; then it is asked again.
ROUND = 60.0


_EXAMPLES = """\b
Examples:
  descartes wait fixer; echo $?
  descartes wait --timeout 600 fixer --json
"""


@click.command("wait", epilog=_EXAMPLES)
@options.agent
@click.option("--timeout", type=options.Seconds(min=0), metavar="SECONDS", help="Give up after this time (exit 4).")
@options.session
@options.as_json
def wait(agent: str, timeout: float | None, session: str | None, as_json: bool) -> int:
    """Wait for an agent's end, and end with its exit code.

    That is 128+n when signal n ended it, and 1 when nobody knows how it ended. With --json something is printed only
    when it has ended, which tells its exit code from an error of this command.
    """
    found = find_agent(find_home(), agent, session)
    ended = wait_for_end(found.socket, found.id, timeout)
    if as_json:
        print_json(ended)
    return exit_status(ended)


def wait_for_end(socket: str, agent_id: str, timeout: float | None = None) -> dict[str, Any]:
    """Return the agent once it has ended.

    Raises:
        DeadlineOver: it has not, in time.

    """
    ends = None if timeout is None else time.monotonic() + timeout
    while True:
        left = ROUND if ends is None else min(max(ends - time.monotonic(), 0.0), ROUND)
        waited = call(socket, "agent.wait", {"agent_id": agent_id, "timeout": left}, timeout=left + 30.0)
        if waited["ended"]:
            ended: dict[str, Any] = waited["agent"]
            if ended.get("ended_by"):  # a daemon of an older version does not tell
                say_wrong(f"{ended['name']} was ended: {ended['ended_by']}")
            elif is_unknown(ended):
                say_wrong(
                    f"nobody knows how {ended['name']} ended: descartes events --agent {short(agent_id)} tells why"
                )
            return ended
        if ends is not None and time.monotonic() >= ends:
            raise DeadlineOver(f"{waited['agent']['name']} has not ended within {timeout:g} s")
