"""What an agent's program begins with: its caller's surroundings, and three marks."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import InvalidParams
from descartes_core.messages.agents import Spawn

#: What names the task that an agent was started for.
TASK = "DESCARTES_TASK_ID"
#: What tells of other processes' contracts, or of another terminal's size.
DENIED = frozenset(
    {
        "NOTIFY_SOCKET",
        "LISTEN_PID",
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "FDSTORE",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        "DESCARTES_SUPERVISOR",
        "DESCARTES_PROBE",
        # Of whoever asks: only who is started for a task has one.
        TASK,
        "DESCARTES_SOFT_NOFILE",
        "DESCARTES_HOOK_ID",
        "LINES",
        "COLUMNS",
    }
)
#: Shells take TERM badly and HUP well.
_SHELLS = frozenset({"sh", "bash", "zsh", "fish", "dash", "ksh", "mksh", "tcsh", "csh", "ash", "nu", "xonsh", "pwsh"})


@dataclass(frozen=True, slots=True)
class Marks:
    """By what a program knows where it is, and we know whose it is."""

    agent_id: str
    session_id: str
    socket: str

    def as_env(self) -> dict[str, str]:
        """Return them as variables."""
        return {
            "DESCARTES_AGENT_ID": self.agent_id,
            "DESCARTES_SESSION_ID": self.session_id,
            "DESCARTES_SOCKET": self.socket,
        }


def environment(request: Spawn, marks: Marks) -> dict[str, str]:
    """Return the program's environment; this process's own is no part of it."""
    given = bare() if request.env is None else request.env
    for name in (*given, *request.extra_env):
        if not name or "=" in name:
            raise InvalidParams(f"{name.partition('=')[0]!r} cannot be the name of an environment variable")
    kept = {name: value for name, value in given.items() if name not in DENIED}
    if request.tty and kept.get("TERM", "dumb") == "dumb":
        kept["TERM"] = "xterm-256color"
    return {**kept, **request.extra_env, **marks.as_env()}


def bare() -> dict[str, str]:
    """Return what a login would give, for callers that send no environment."""
    user = pwd.getpwuid(os.getuid())
    return {
        "HOME": os.environ.get("HOME", user.pw_dir),
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        "SHELL": user.pw_shell or "/bin/sh",
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


def command(request: Spawn, configured: list[str], env: Mapping[str, str]) -> list[str]:
    """Return what is to run: what was asked, else what is configured, else the caller's shell."""
    chosen = request.command or configured or [env.get("SHELL") or "/bin/sh"]
    if not chosen[0]:
        raise InvalidParams("the command's first word is empty")
    return chosen


def working_directory(request: Spawn, workspace: str) -> str:
    """Return where it runs; a relative path is meant from the workspace."""
    return os.path.join(workspace, request.cwd) if request.cwd else workspace


def stop_signal(request: Spawn, chosen: Sequence[str]) -> str:
    """Return the name of the signal that asks this program to end."""
    if request.stop_signal is not None:
        return signal_named(request.stop_signal).name
    return "SIGHUP" if Path(chosen[0]).name.lstrip("-") in _SHELLS else "SIGTERM"


def signal_named(text: str) -> signal.Signals:
    """Return the signal that is meant: INT, SIGINT, or 2.

    Raises:
        InvalidParams: there is no such signal.

    """
    name = text.upper()
    try:
        if name.isdigit():
            return signal.Signals(int(name))
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except (KeyError, ValueError):
        raise InvalidParams(f"{text!r} is no signal") from None
