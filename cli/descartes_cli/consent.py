"""Ask the person at the terminal before something is gone for ever."""

from __future__ import annotations

import sys

import click

from descartes_core.errors import Refused


def ask_consent(what: str, question: str, *, otherwise: str) -> None:
    """Go on only where they say yes.

    Args:
        what: What is about to happen, as in "this removes all of it".
        question: What they are asked.
        otherwise: What is told where they say no.

    Raises:
        Refused: nobody is there to be asked, or they said no.

    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"{what}: say --yes")
    if not click.confirm(question, err=True):
        raise Refused(otherwise)
