"""What the pages show can be typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from descartes_cli.verbs import descartes
from tests.support.house import ROOT, name_of

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Words of a command line that end it, or what concerns us of it.
_END = {"--", "|", "||", "&&", ";", "#", "VERB"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_shown_exists(page: Path) -> None:
    assert [(shown, fault) for shown in commands_of(page) if (fault := fault_of(shown.split()[1:]))] == []


def commands_of(page: Path) -> Iterator[str]:
    """Yield the command lines a page shows, in blocks and within sentences."""
    text = page.read_text()
    shown = re.findall(r"`(descartes [^`\n]+)`", text)
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL):
        shown += re.findall(r"^\s*(?:\$ )?(descartes [^─\n]+)$", block, re.MULTILINE)
        shown += re.findall(r"[;(&] *(descartes [^;)\n]+)", block)
    yield from shown


def fault_of(words: list[str]) -> str | None:
    """Return what the command line would refuse of these words."""
    command: click.Command = descartes
    context = click.Context(command, info_name="descartes")
    for word in words:
        if word in _END or word.startswith("#"):
            return None
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(context, word)
            if found is None:
                return f"no verb {word}"
            command, context = found, click.Context(found, context, info_name=word)
        elif word.startswith("-") and word != "-" and not knows(command, context, word):
            return f"no option {word}"
    return None


def knows(command: click.Command, context: click.Context, option: str) -> bool:
    """Say whether a command takes an option."""
    return any(option.partition("=")[0] in one.opts + one.secondary_opts for one in command.get_params(context))
