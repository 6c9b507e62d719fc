"""See the main job done on real input, checked."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import click

from descartes_cli.demo_listener import Listener
from descartes_cli.demo_programs import CODE_THREE, DEAF, LOUD, SHELL, loud_output
from descartes_cli.demo_stage import Failed, Said, Stage, stage
from descartes_local.processes import Process, process_of

GRACE = "1"
#: The flood is interrupted once this much of it is kept.
_MID_FLOOD = 1_000_000


_EXAMPLES = """\b
Examples:
  descartes demo
"""


@click.command("demo", epilog=_EXAMPLES)
def demo() -> int:
    """Do the main job on real input, and check it.

    In a directory and a HOME of its own: two workspaces, a daemon for each, four real programs, one daemon killed in
    the middle of a flood. A line a step; ends with 0 only if every check held, and leaves nothing behind.
    """
    began = time.monotonic()
    with stage() as place:
        play = Play(place)
        try:
            play.all_of_it()
        except Failed as error:
            play.check(str(error), False)
        finally:
            play.close()
        failed = play.failed
    click.echo(f"{'every check held' if not failed else f'{failed} checks failed'}, {time.monotonic() - began:.1f} s")
    return 1 if failed else 0


class Play:
    """The steps, in order, and what came of the checks."""

    def __init__(self, place: Stage) -> None:
        self._stage = place
        self._listeners: dict[str, Listener] = {}
        self._sessions: dict[str, dict[str, Any]] = {}
        self.failed = 0

    def all_of_it(self) -> None:
        """Play it."""
        for step in (self._begin, self._spawn, self._show, self._type, self._kill_daemon, self._endings, self._stop):
            step()

    def step(self, text: str) -> None:
        """Say what is done."""
        click.echo(f"  {text}")

    def check(self, text: str, held: bool) -> None:
        """Say whether something is as it has to be."""
        self.failed += not held
        click.echo(f"{'✓' if held else '✗'} {text}")

    def _begin(self) -> None:
        for name in ("shop", "site"):
            self._stage.run("sessions", "create", str(self._stage.home / "projects" / name))
            self._stage.run("sessions", "start", name)
        for session in self._stage.run("ps", "--json").json["sessions"]:
            self._sessions[session["name"]] = session
            self._listeners[session["name"]] = Listener(session["ws_endpoint"], self._stage.token)
            self.step(f"workspace {session['name']}: daemon {session['pid']} at {session['http_endpoint']}")

    def _spawn(self) -> None:
        for session, name, command in (
            ("shop", "loud", LOUD),
            ("shop", "deaf", DEAF),
            ("site", "three", CODE_THREE),
            ("site", "shell", SHELL),
        ):
            self._stage.run("spawn", session, "--name", name, "--grace", GRACE, "--", *command)
        self.step("spawned: loud (5 MB of lines), deaf (ignores TERM), three (ends with 3), shell")

    def _show(self) -> None:
        shown = self._stage.run("ps", "-a").out.decode()
        click.echo("".join(f"    {line[:110]}\n" for line in shown.splitlines()), nl=False)

    def _type(self) -> None:
        self._stage.run("send", "shell", "echo $((6 * 7)) and $DESCARTES_AGENT_ID", "--enter")
        said = self._said_by("shell", lambda text: "42 and" in text)
        self.check("the shell answered what was typed", "42 and" in said)

    def _said_by(self, agent: str, fits: Callable[[str], bool], patience: float = 10.0) -> str:
        deadline = time.monotonic() + patience
        while True:
            said = self._stage.run("logs", agent).out.decode(errors="replace")
            if fits(said) or time.monotonic() > deadline:
                return said
            time.sleep(0.05)

    def _kill_daemon(self) -> None:
        kept = self._wait_for_output("loud", _MID_FLOOD)
        pid = self._sessions["shop"]["pid"]
        os.kill(pid, signal.SIGKILL)
        self.step(f"killed shop's daemon {pid} with SIGKILL when {kept:,} bytes of the flood were kept")
        now = next(one for one in self._stage.run("ps", "--json").json["sessions"] if one["name"] == "shop")
        self.check(f"another daemon serves shop: {now['pid']}", now["pid"] not in (None, pid))

    def _wait_for_output(self, agent: str, count: int) -> int:
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            found = [one for one in self._stage.run("ps", "-a", "--json").json["agents"] if one["name"] == agent]
            if found and found[0]["output_bytes"] >= count:
                return int(found[0]["output_bytes"])
        raise Failed(f"{agent} said too little")

    def _endings(self) -> None:
        code = self._stage.run("wait", "loud", "--timeout", "20", codes=(0, 1, 4)).code
        self.check(f"loud ended with exit code {code}", code == 0)
        length, digest = loud_output()
        kept = self._stage.run("logs", "loud", "--format", "raw").out
        same = hashlib.sha256(kept).hexdigest() == digest
        self.check(f"{length:,} bytes expected, {len(kept):,} kept, byte for byte the same: {same}", same)
        three = self._stage.run("wait", "three", codes=(0, 1, 3, 4))
        self.check(f"three ended with exit code {three.code}", three.code == 3)
        self._end_deaf()
        self._stage.run("kill", "--force", "shell")

    def _end_deaf(self) -> None:
        said = self._said_by("deaf", lambda text: "deaf " in text and "grandchild " in text)
        pids = [int(pid) for pid in re.findall(r"(?:deaf|grandchild) (\d+)", said)]
        tree = {process for pid in pids if (process := process_of(pid)) is not None}
        self.check(f"deaf and its detached grandchild live: {pids}", len(tree) == 2)
        began = time.monotonic()
        self._stage.run("kill", "deaf")
        took = time.monotonic() - began
        left = self._stage.gone(tree, 0.0)
        self.check(f"both are gone {took:.1f} s after `kill` (grace {GRACE} s)", not left)

    def _stop(self) -> None:
        listeners = list(self._listeners.items())
        for _, listener in listeners:
            listener.wait_for("killed")
            listener.close()
        for name in self._sessions:
            self._stage.run("sessions", "stop", name)
        for name, listener in listeners:
            text = (
                f"{name}: {len(listener.events)} events, each once and in order, over {listener.reconnects} reconnects"
            )
            self.check(text, listener.is_whole and listener.reconnects == (1 if name == "shop" else 0))
        running = self._stage.processes()
        stopped = self._stage.run("supervisor", "stop", codes=(0, 4))
        self._check_empty(running, stopped)

    def _check_empty(self, running: set[Process], stopped: Said) -> None:
        left = self._stage.gone(running | self._stage.processes(), 5.0)
        self.check(f"processes left: {len(left)}, its supervisor ended too", not left and stopped.code == 0)
        run = sorted(path.name for path in (self._stage.home / ".descartes" / "run").glob("*"))
        self.check(f"sockets and run files left: {len(run)}", not run)

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners.values():
            listener.close()
