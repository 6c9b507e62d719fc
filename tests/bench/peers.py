"""Other programs that keep what lasts, and how long whoever starts something by them waits."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench.figures import ms
from tests.support.waiting import wait_until

#: What each starts: it does nothing, so that only the start is timed.
_NOTHING = "/bin/cat"
_MOST = 200
_SUPERVISORD = f"""\
[unix_http_server]
file = {{place}}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile = {{place}}/log
pidfile = {{place}}/pid
[supervisorctl]
serverurl = unix://{{place}}/socket
[program:nothing]
command = {_NOTHING}
process_name = %(process_num)s
numprocs = {_MOST}
autostart = false
startsecs = 0
"""


class Peer:
    """One of them, running; each start is of something that was not started before."""

    def __init__(self, name: str, command: Callable[[int], Sequence[str]]) -> None:
        self.name, self._command = name, command
        self._count = 0

    def start(self) -> None:
        """Start one thing more, as its user does."""
        subprocess.run(self._command(self._count), check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self._count += 1


@contextlib.contextmanager
def peers() -> Iterator[list[Peer]]:
    """Run those that are there, or can be installed into an environment of their own."""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers")))
        found = (stack.enter_context(_tmux(place)), stack.enter_context(_supervisord(place)))
        yield [peer for peer in found if peer is not None]


def told(timed: dict[str, list[float]]) -> str:
    """Return how long each took."""
    return "".join(f", {name} {ms(times)}" for name, times in timed.items())


@contextlib.contextmanager
def _tmux(place: Path) -> Iterator[Peer | None]:
    if shutil.which("tmux") is None:
        yield None
        return
    tmux = ["tmux", "-f", "/dev/null", "-S", str(place / "tmux")]
    subprocess.run([*tmux, "new-session", "-d", _NOTHING], check=True)
    try:
        yield Peer("`tmux new-session` of `cat`", lambda _: [*tmux, "new-session", "-d", _NOTHING])
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)


@contextlib.contextmanager
def _supervisord(place: Path) -> Iterator[Peer | None]:
    commands = place / "venv" / "bin"
    install = [commands / "pip", "install", "--quiet", "--disable-pip-version-check", "supervisor", "setuptools<81"]
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    if subprocess.run(install, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        yield None  # nowhere to install it from
        return
    config = place / "supervisord.conf"
    config.write_text(_SUPERVISORD.format(place=place))
    begin = [commands / "supervisord", "--nodaemon", "--configuration", config]
    with subprocess.Popen(begin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            wait_until((place / "socket").exists, "supervisord listens")
            ctl = [str(commands / "supervisorctl"), "-c", str(config), "start"]
            yield Peer("`supervisorctl start` of `cat`", lambda number: [*ctl, f"nothing:{number}"])
        finally:
            daemon.terminate()
