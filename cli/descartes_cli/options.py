"""Options that several verbs share."""

from __future__ import annotations

import math
import time
from typing import Any

import click


class Seconds(click.FloatRange):
    """A time that passes: neither negative nor nan nor infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read what a person wrote."""
        seconds: float = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


class Quantity(click.types.FloatParamType):
    """An amount with a unit: of memory, or of time."""

    def __init__(self, name: str, least: str) -> None:
        super().__init__()
        self.name, self._least = name, least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read what a person wrote."""
        from descartes_core import quantities  # only who names an amount pays for it

        read = quantities.read_bytes if self.name == "memory" else quantities.read_seconds
        try:
            found = read(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        if found < read(self._least):
            self.fail(f"{value} is too little: {self._least} is the least.", param, ctx)
        return found


class Moment(click.types.StringParamType):
    """A point in time: so long ago, or as it is written in RFC 3339."""

    name = "moment"

    def __init__(self, *, or_seq: bool = False) -> None:
        #: Whether a plain number is a seq, and stays one.
        self._or_seq = or_seq

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read what a person wrote; a time is given back as every door takes it."""
        from descartes_core import quantities, times  # only who names a time pays for it

        if self._or_seq and str(value).isdecimal():
            return int(value)
        try:
            return times.written(times.read(value))
        except (ValueError, OverflowError):
            pass
        try:
            return times.written(time.time() - quantities.read_seconds(value))
        except (ValueError, OverflowError):
            kinds = "a seq, " if self._or_seq else ""
            self.fail(
                f"{value!r} is not {kinds}an age like 90s, 30m, 1h or 2d, or a time like 2026-11-22T08:00:00Z.",
                param,
                ctx,
            )


MEMORY, TIME = Quantity("memory", "1M"), Quantity("time", "0.01s")


def complete_agents(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Return what an AGENT may be, for a shell that asks."""
    from descartes_cli import completing  # only a shell that completes pays for it

    return list(completing.agents(context, parameter, incomplete))


def complete_sessions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Return what a SESSION may be, for a shell that asks."""
    from descartes_cli import completing

    return list(completing.sessions(context, parameter, incomplete))


def complete_peers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Return what the NAME of somebody at the hub may be, for a shell that asks."""
    from descartes_cli import completing

    return list(completing.peers(context, parameter, incomplete))


peer = click.argument("name", metavar="NAME", shell_complete=complete_peers)
agent = click.argument("agent", metavar="AGENT", shell_complete=complete_agents)
agents = click.argument("agents", nargs=-1, required=True, metavar="AGENT…", shell_complete=complete_agents)
session = click.option(
    "-s",
    "--session",
    metavar="SESSION",
    shell_complete=complete_sessions,
    help="Only in this session: id, prefix, name or path.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
