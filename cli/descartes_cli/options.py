"""Options that several verbs share."""

from __future__ import annotations

import math
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


session = click.option("-s", "--session", metavar="SESSION", help="Only in this session: id, prefix, name or path.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
