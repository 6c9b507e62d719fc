"""What an agent's own process began with, as far as others may know it."""

from __future__ import annotations

import os

from descartes_core.errors import NotHere, Refused
from descartes_core.redaction import is_secret_name
from descartes_daemon.agent import Agent


def environment_of(agent: Agent) -> dict[str, str]:
    """Return the environment of its process; may be called in a thread.

    Raises:
        Refused: it does not run.
        NotHere: the system does not tell.

    """
    if agent.process is None or not agent.is_alive:
        raise Refused(f"agent {agent.called} does not run here")
    try:
        with open(f"/proc/{agent.process.pid}/environ", "rb") as file:
            content = file.read()
    except OSError as error:
        raise NotHere(f"the environment of agent {agent.called} cannot be read: {error.strerror}") from error
    pairs = (os.fsdecode(pair).partition("=") for pair in content.split(b"\0") if pair)
    return {_text(name): "***" if is_secret_name(name) else _text(value) for name, _, value in pairs}


def _text(word: str) -> str:
    return word.encode(errors="replace").decode()
