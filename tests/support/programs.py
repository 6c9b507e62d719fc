"""The command lines of the programs in `tests/agents`."""

from __future__ import annotations

import sys
from pathlib import Path

AGENTS = Path(__file__).parents[1] / "agents"
#: Where the installed commands are.
COMMANDS = Path(sys.executable).parent


def agent(name: str, *words: object) -> list[str]:
    """Return the command line of one of our misbehaving programs."""
    program = AGENTS / f"{name}.py"
    assert program.exists(), f"no program {program}"
    # Isolated and without site: it starts in a tenth of the time.
    return [sys.executable, "-I", "-S", str(program), *map(str, words)]


def installed(command: str) -> str:
    """Return the path of an installed command of this environment."""
    path = COMMANDS / command
    assert path.exists(), f"{path} is not installed: pip install -e '.[test]'"
    return str(path)
