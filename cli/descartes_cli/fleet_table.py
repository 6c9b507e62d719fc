"""Sessions and agents, as a table or as JSON."""

from __future__ import annotations

import socket
import time
from typing import Any

from descartes_cli.fleet import look
from descartes_cli.render import ago, command_line, is_unknown, print_json, print_table, printable, say
from descartes_core.ids import short
from descartes_core.times import read as read_time
from descartes_local.home import find_home

_HEADS = ("ID", "NAME", "STATUS", "SESSION", "PID", "STARTED", "COMMAND")
#: Before the command, for who wants to see more.
_WIDE = ("CPU", "MEMORY", "PEAK", "PROCS", "READ", "WRITTEN", "LIMITS")


def show_fleet(*, everything: bool, as_json: bool, only: str | None = None, wide: bool = False) -> None:
    """Print what there is; of one session only, where its id is given; wide: with what agents take, and may."""
    seen = look(find_home(), everything, only, usage=wide)
    failed = seen.pop("failed")
    if as_json:
        print_json(seen)
    else:
        _print(seen, failed, wide=wide)


def _print(seen: dict[str, Any], failed: list[dict[str, Any]], *, wide: bool) -> None:
    names = {session["id"]: printable(session["name"]) for session in seen["sessions"]}
    if seen["agents"]:
        more = ("HOST",) if (is_spread := _is_spread(seen["agents"])) else ()
        heads = (*_HEADS[:-1], *more, *(_WIDE if wide else ()), _HEADS[-1])
        rows = [_row(agent, names, is_spread=is_spread, wide=wide) for agent in seen["agents"]]
        print_table(heads, rows, coloured=2)
    else:
        say("no agents; descartes spawn starts one" if seen["sessions"] else "no sessions are active")
    for process in seen["unattributed"]:
        where = names.get(process["session_id"], "")
        say(f"unattributed in {where}: process {process['pid']}  {printable(process['command'])}")
    for session in seen["sessions"]:
        if session["status"] != "Error" and (session["pid"] is None or session["agents"] == 0):
            name = names[session["id"]]
            say(f"session {name}  {session['status']}  {printable(session['path'])}{_remark(session, name)}")
    for entry in failed:
        say(f"session {printable(entry['name'])}  Error  {printable(entry['path'])}")
        say(f"  {printable(entry['error'] or 'unknown')}")
        for line in entry["log_tail"][-5:]:
            say(f"  {printable(line)}")


def _remark(session: dict[str, Any], name: str) -> str:
    if session["pid"] is not None:
        return ""
    if not session["path"]:
        return "[deleted; what is known of its agents stays]"
    if session["status"] == "Inactive":
        return f"  [descartes sessions start {name} goes on with its agents]" if session["agents"] else ""
    return "  [its daemon does not answer: this is what was stored]"


def _is_spread(agents: list[dict[str, Any]]) -> bool:
    """Say whether some of them run on other machines."""
    return any(agent["host"] != socket.gethostname() for agent in agents)


def _row(agent: dict[str, Any], sessions: dict[str, str], *, is_spread: bool, wide: bool) -> tuple[str, ...]:
    started = agent["started_at"]
    return (
        short(agent["id"]),
        printable(agent["name"]),
        _status(agent),
        sessions.get(agent["session_id"], short(agent["session_id"])),
        "-" if agent["pid"] is None or agent["ended_at"] else str(agent["pid"]),
        ago(time.time() - read_time(started)) if started else "-",
        *((printable(agent["host"]),) if is_spread else ()),
        *(_more(agent) if wide else ()),
        command_line(agent["command"]) + (f"  [{printable(agent['notice'])}]" if agent["notice"] else ""),
    )


def _more(agent: dict[str, Any]) -> tuple[str, ...]:
    """Return the wide columns."""
    usage = agent.get("usage") or {}
    spent, processes = usage.get("cpu_seconds"), usage.get("processes")
    return (
        "-" if spent is None else _spent(spent),
        _bytes(usage.get("memory_bytes")),
        _bytes(usage.get("memory_peak_bytes")),
        "-" if processes is None else str(processes),
        _bytes(usage.get("read_bytes")),
        _bytes(usage.get("written_bytes")),
        _limits(agent) if agent.get("limits") else "-",
    )


def _bytes(count: int | None) -> str:
    from descartes_core.quantities import brief_bytes  # only who asks for the wide columns pays for it

    return "-" if count is None else brief_bytes(count)


def _limits(agent: dict[str, Any]) -> str:
    from descartes_core.limits import Limits  # costs as much as all else together

    by = f" ({agent['limited_by']})" if agent["limited_by"] else ""
    return f"{Limits.from_json(agent['limits'])}{by}"


def _spent(seconds: float) -> str:
    """Return processor time; a hundredth matters in the first minute."""
    from descartes_core.quantities import brief_seconds

    return f"{seconds:.2f}s" if seconds < 60 else brief_seconds(seconds)


def _status(agent: dict[str, Any]) -> str:
    """Return the state, with how it ended."""
    if agent.get("ended_by"):  # a daemon of an older version does not tell
        return f"{agent['status']} ({agent['ended_by']})"
    if is_unknown(agent):
        return f"{agent['status']} (code unknown)"
    how = agent["signal"] or agent["exit_code"]
    return f"{agent['status']} ({how})" if how else str(agent["status"])
