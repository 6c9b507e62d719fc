"""Write an example of every key."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click

from descartes_cli import options
from descartes_cli.render import print_json, printable
from descartes_core.errors import AlreadyExists, Unavailable
from descartes_local.config_example import example
from descartes_local.home import find_home, make_private

_EXAMPLES = """\b
Examples:
  descartes config init
  descartes config init --stdout | less
"""


@click.command("init", epilog=_EXAMPLES)
@click.option("--stdout", "only_print", is_flag=True, help="Print it, and write nothing.")
@options.as_json
def init(only_print: bool, as_json: bool) -> None:
    """Write ~/.descartes/config.toml with every key in it, commented out; a file that is there stays as it is."""
    if only_print:
        click.echo(example(), nl=False)
        return
    home = find_home()
    make_private(home.path)
    file = home.path / "config.toml"
    try:
        _write_new(file)
    except FileExistsError:
        raise AlreadyExists(f"{file} exists already: it is left as it is; --stdout prints the example") from None
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"path": str(file)})
    else:
        click.echo(printable(str(file)))


def _write_new(file: Path) -> None:
    """Write it whole or not at all; what is there already, also a link that leads nowhere, is refused."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as content:
            content.write(example())
        os.link(beside, file)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
