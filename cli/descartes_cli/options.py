"""Options that several verbs share."""

from __future__ import annotations

import click

session = click.option("-s", "--session", metavar="SESSION", help="Only in this session: id, prefix, name or path.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
