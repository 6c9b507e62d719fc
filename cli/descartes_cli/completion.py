"""Print what makes a shell complete our command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_EXAMPLES = """\b
Examples:
  descartes completion bash > ~/.local/share/bash-completion/completions/descartes
  descartes completion zsh > "${fpath[1]}/_descartes"
  descartes completion fish > ~/.config/fish/completions/descartes.fish
"""


@click.command("completion", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; it completes verbs, options, agents and sessions.

    Put it where your shell reads it when it starts, as below, and open another shell.
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these three"
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "descartes", "_DESCARTES_COMPLETE").source())
