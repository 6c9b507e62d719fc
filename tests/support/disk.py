"""A small disk with a HOME and a workspace on it, and somebody who works there."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_local.home import Home
from tests.support.leftovers import end_everything, processes_of
from tests.support.person import Person, Ran
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Disk:
    """A small disk with a HOME and a workspace on it, and somebody who works there."""

    person: Person
    place: Path

    @property
    def home(self) -> Home:
        """Where Descartes lies on it."""
        return Home(self.place / "home")

    @property
    def shop(self) -> Path:
        """Return the workspace."""
        return self.place / "shop"

    def run(self, *words: object, check: bool = True) -> Ran:
        """Run a command that knows this home."""
        ran = self.person.run(*words, check=check, env={"DESCARTES_HOME": str(self.home.path)}, timeout=60)
        assert "Traceback" not in ran.stderr, str(ran)
        return ran

    def json(self, *words: object) -> Any:
        """Run a command and return what it printed."""
        verb, *rest = words
        return self.run(verb, "--json", *rest).json if verb != "sessions" else self.run(*words, "--json").json

    def remount(self, options: str) -> None:
        """Mount it otherwise."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.place], check=True)

    def fill(self, spare: int) -> Path:
        """Take all room there is but a few bytes."""
        filler = self.place / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        os.truncate(filler, max(0, filler.stat().st_size - spare))
        return filler

    def torn(self) -> list[Path]:
        """Return what is no JSON, and what was left half written."""
        places = [path for path in self.place.rglob("*") if path.is_file() and path.name != "filler"]
        halves = [path for path in places if path.name.startswith(".") and ".json." in path.name]
        return halves + [path for path in places if path.suffix == ".json" and not is_json(path)]


def is_json(path: Path) -> bool:
    """Say whether a file is whole JSON."""
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def small_disk(person: Person) -> Iterator[Disk]:
    """Mount it; at the end nothing lives there, and all that lies there is whole."""
    place = person.directory / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    disk = Disk(person, place)
    (disk.shop / ".scud").mkdir(parents=True)
    try:
        yield disk
        for home in (disk.home, Home(person.directory / "home")):
            end_everything(home)
        wait_until(lambda: not processes_of(person.directory), "everything ends")
        for store in disk.home.path.glob("sessions/*/state.db"):
            with contextlib.closing(sqlite3.connect(store)) as opened:
                assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert disk.torn() == []
    finally:
        subprocess.run(["umount", "-l", place], check=True)
