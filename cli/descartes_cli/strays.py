"""Tell of what agents left running where nobody serves them, and end it."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from descartes_cli.asking import Question, ask_all
from descartes_cli.consent import ask_consent
from descartes_cli.progress import lasting
from descartes_cli.render import printable, say
from descartes_core.errors import DescartesError
from descartes_core.ids import short
from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_files
from descartes_local.strays import Stray, end_strays, find_strays
from descartes_local.supervisor_file import read_supervisor_file
from descartes_orchestrator import sessions

#: They are asked first, like any agent.
_GRACE = 3.0


def look_for_strays(home: Home) -> list[Stray]:
    """Return what lives of sessions that have no daemon, and of which neither supervisor nor systemd holds anything."""
    held = _held(home)
    if held is None:
        return []
    return find_strays(home, held | {run.session_id for run in read_run_files(home) if _is_served(run)})


def _held(home: Home) -> set[str] | None:
    """Return the sessions that the supervisor holds something of; None where it hangs: nobody knows then."""
    answer = ask_all({"list": Question(str(home.supervisor_socket), "list", {})})["list"]
    if isinstance(answer, DescartesError):
        return None if read_supervisor_file(home) is not None else set()
    return {entry["id"] for entry in answer["sessions"] if not entry["at_rest"]}


def _is_served(run: RunFile) -> bool:
    return run.is_alive or run.keeper == "systemd"  # which starts the next one


def end_after_asking(
    home: Home, meant: Collection[str] | None, *, dry_run: bool, yes: bool, quiet: bool
) -> list[dict[str, Any]]:
    """End what was left by agents of these sessions, or of all; return what that is.

    Raises:
        Refused: nobody could be asked, or they said no.

    """
    strays = [stray for stray in look_for_strays(home) if meant is None or stray.session_id in meant]
    for stray in strays if not quiet else ():
        where = f"session {short(stray.session_id)}, agent {short(stray.agent_id)}"
        say(f"left running: process {stray.process.pid} of {where}: {printable(stray.command)}")
    sys.stdout.flush()
    if strays and not dry_run:
        _ask(len(strays), yes=yes)
        with lasting("ending what was left"):
            end_strays(strays, _GRACE)
    if not dry_run and (held := _held(home)) is not None:
        sessions.tidy(home, held)
    return [
        {
            "pid": stray.process.pid,
            "session_id": stray.session_id,
            "agent_id": stray.agent_id,
            "command": stray.command,
        }
        for stray in strays
    ]


def _ask(count: int, *, yes: bool) -> None:
    what = f"{count} process{'es' * (count != 1)} that agents left"
    if yes:
        return
    ask_consent(f"this ends {what}", f"End {what}?", otherwise="nothing is ended, and nothing removed")
