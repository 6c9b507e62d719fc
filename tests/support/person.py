"""A person at a shell: a HOME, workspaces, the installed commands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_local.home import Home
from tests.support.programs import installed


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said and how it ended."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        """What `--json` printed, one value a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def __str__(self) -> str:
        return f"{' '.join(self.words)} ended with {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a HOME of their own."""

    directory: Path
    #: What a command is run by, on another machine; and what its environment has besides.
    prefix: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        """Where this person's Descartes lies."""
        return Home(self.directory / ".descartes")

    def run(
        self,
        *words: object,
        check: bool = True,
        input: str | None = None,
        timeout: float = 40.0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run `descartes WORDS…` and wait for its end; `check` asserts that it ended with 0."""
        command = [*self.prefix, installed("descartes"), *map(str, words)]
        done = subprocess.run(
            command,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd=cwd or self.directory,
            env={**os.environ, **self.settings, **(env or {})},
            check=False,
        )
        ran = Ran(("descartes", *map(str, words)), done.returncode, done.stdout, done.stderr)
        assert not check or ran.code == 0, str(ran)
        return ran

    def start(self, *words: object, command: str = "descartes", **how: Any) -> subprocess.Popen[bytes]:
        """Start a command and do not wait for it; whoever starts it waits."""
        return subprocess.Popen([installed(command), *map(str, words)], cwd=self.directory, **how)

    def workspace(self, name: str = "shop") -> Path:
        """Make a workspace as `scud init` leaves it."""
        directory = self.directory / "projects" / name
        (directory / ".scud").mkdir(parents=True)
        return directory

    def spawn(self, workspace: Path, command: Sequence[str], *options: object) -> dict[str, Any]:
        """Spawn an agent and return it as `spawn --json` prints it."""
        agent: dict[str, Any] = self.run("spawn", workspace, *options, "--json", "--", *command).json
        return agent
