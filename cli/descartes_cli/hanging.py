"""A daemon that is silent: the supervisor asks it once, and kills it where it hangs."""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable, Iterable

from descartes_cli.render import say_wrong
from descartes_core.errors import DescartesError
from descartes_core.jsonrpc import request
from descartes_local import supervisor_client
from descartes_local.home import Home, find_home
from descartes_local.peer import connect_to_ours
from descartes_local.run_file import RunFile, read_run_files

#: Who has not answered by then is suspected; then again after twice the time, and so on: many calls wait on purpose.
SILENCE = 10.0
#: The supervisor's question takes 5 s unless configured, and longer where the machine is overloaded.
_LONGEST = 60.0
#: Where the supervisor is not there at once nobody can judge.
_PATIENCE = 2.0


def watch_over(socket: str) -> Callable[[], object]:
    """Return what to do each time that this daemon has been silent for a while."""
    return lambda: suspect(socket)


def suspect(socket: str) -> str | None:
    """Let the supervisor judge a daemon that is silent; return its verdict, None where there is none.

    Where it was killed the next one is started, and everything that waits for an answer notices.
    """
    run = next((run for run in read_run_files(find_home()) if run.socket == socket), None)
    if run is None or not run.keeper:
        return None
    try:
        supervisor = supervisor_client.connect(find_home(), patience=_PATIENCE)
        if supervisor is None:
            return None
        with supervisor:
            told = supervisor.call("suspect", {"id": run.session_id}, timeout=_LONGEST)
    except DescartesError:  # an older supervisor does not judge
        return None
    if told["verdict"] == "killed":
        say_wrong(killed(run, told["deadline"]))
    return str(told["verdict"])


def killed(run: RunFile, seconds: float) -> str:
    """Return what a person should know."""
    return (
        f"the daemon of {run.name} (process {run.pid}) hung: asked by the supervisor it did not answer for "
        f"{seconds:g} s, and was killed; the next one goes on with its agents"
    )


def report(home: Home, sessions: Iterable[str]) -> None:
    """Tell the supervisor whose daemons are silent, and wait for nothing."""
    lines = b"".join(request("suspect", {"id": session}, 1) for session in sessions)
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as connection:
        connection.setblocking(False)
        try:
            connect_to_ours(connection, home.supervisor_socket)
            connection.send(lines)
        except OSError:
            return  # then nobody judges
