"""Write an example of every key."""

from __future__ import annotations

import os

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
        # Refused also where a link leads nowhere; and never half written over something.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise AlreadyExists(f"{file} exists already: it is left as it is; --stdout prints the example") from None
    except OSError as error:
        raise Unavailable(f"{file} cannot be made: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w") as content:
            content.write(example())
    except OSError as error:
        os.unlink(file)
        raise Unavailable(f"{file} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"path": str(file)})
    else:
        click.echo(printable(str(file)))
