"""A copy of the installed code that a test may change, with an interpreter of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.house import FLOORS
from tests.support.person import Ran


@dataclass(frozen=True, slots=True)
class Installation:
    """Our packages in a directory of their own; the libraries are shared."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> Installation:
        """Install."""
        code, packages = path / "code", path / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
        for source in FLOORS.values():
            # With what is compiled: importing it takes two seconds else.
            shutil.copytree(source, code / source.name)
        packages.mkdir(parents=True)
        # Its own code first; of the shared place only the libraries are seen, not the links to our sources.
        (packages / "places.pth").write_text(f"{code}\n{sysconfig.get_path('purelib')}\n")
        base = Path(sys.base_prefix) / "bin"
        (path / "pyvenv.cfg").write_text(f"home = {base}\ninclude-system-site-packages = false\n")
        (path / "bin").mkdir()
        (path / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
        return cls(path)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.path / "bin" / "python")

    def file(self, name: str) -> Path:
        """Return a source file."""
        return self.path / "code" / name

    def run(self, *words: object) -> Any:
        """Run `descartes WORDS… --json` and return what it printed."""
        ran = self.try_run(*words)
        assert ran.code == 0, str(ran)
        return ran.json

    def try_run(self, *words: object) -> Ran:
        """Run `descartes WORDS… --json`, however it ends."""
        command = [self.python, "-P", "-m", "descartes_cli", *map(str, words), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return Ran(tuple(map(str, words)), done.returncode, done.stdout, done.stderr)
