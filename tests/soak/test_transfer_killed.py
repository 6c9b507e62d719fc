"""Exports and imports are killed at random moments: there is all of one or nothing, and a 5 GB log takes no memory."""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
from pathlib import Path

import pytest

from descartes_local.archive_reading import ArchiveReader
from tests.support.person import Person
from tests.support.serving import kill_daemon, only_run

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

_ROUNDS = int(os.environ.get("STORM_ROUNDS", "12"))
_MIB = 1024**2


@pytest.fixture
def shop(person: Person) -> Path:
    return person.workspace("shop")


def is_whole(file: Path) -> bool:
    """Read an export to its end."""
    with file.open("rb") as archive:
        reader = ArchiveReader(archive)
        for part in reader.parts():
            for _ in part.pieces():
                pass
    return bool(reader.manifest)


def talker(person: Person, workspace: Path, size: int, holes: int = 0) -> str:
    """Leave an ended agent with a log of this size, which has so many times as much in holes."""
    agent = str(person.spawn(workspace, ["true"])["id"])
    person.run("wait", agent)
    log = person.home.session(only_run(person.home).session_id) / "agents" / agent / "output.log"
    piece = os.urandom(_MIB)
    with log.open("wb") as file:
        for _ in range(size // _MIB):
            file.write(piece)
            file.seek(holes * _MIB, os.SEEK_CUR)
        file.truncate(size * (holes + 1))
    return agent


def killed_within(command: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill it after this time; False where it has ended before."""
    try:
        command.wait(seconds)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()
        return True
    return False


def test_a_killed_export_is_whole_or_not_there(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    talker(person, shop, 64 * _MIB)
    place, chance = person.directory / "exports", random.Random(os.environ.get("STORM_SEED"))
    place.mkdir()
    for number in range(_ROUNDS):
        file = place / f"{number}.tar"
        with person.start("sessions", "export", shop, file) as command:
            try:
                command.wait(chance.uniform(0.0, 1.0))
            except subprocess.TimeoutExpired:
                kill_daemon(person.home)
            assert command.wait(60) == 0, "the next daemon does it"
        assert is_whole(file)
        assert [path.name for path in place.iterdir()] == [file.name], "nothing lies beside it"
        file.unlink()
    data = person.home.session(only_run(person.home).session_id)
    person.run("sessions", "export", shop, place / "last.tar")
    assert not list(data.glob(".export-*"))


def test_a_killed_import_made_all_or_nothing(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    agent = talker(person, shop, 64 * _MIB)
    file, chance = person.directory / "shop.tar", random.Random(os.environ.get("STORM_SEED"))
    person.run("sessions", "export", shop, file)
    said = (person.home.session(only_run(person.home).session_id) / "agents" / agent / "output.log").read_bytes()
    made = 0
    for number in range(_ROUNDS):
        there = person.directory / f"there-{number}"
        with person.start("sessions", "import", file, "--path", there) as command:
            killed_within(command, chance.uniform(0.2, 2.5))
        if (there / ".scud" / "session.json").exists():
            made += 1
            identity = person.run("sessions", "show", there, "--json").json["id"]
            assert (person.home.session(identity) / "agents" / agent / "output.log").read_bytes() == said
    person.run("sessions", "import", file, "--path", person.directory / "last")
    assert len(list((person.home.path / "sessions").iterdir())) == 1 + made + 1, "nothing else is left"


def test_a_log_of_five_gigabytes_takes_no_memory(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    agent = talker(person, shop, 512 * _MIB, holes=9)
    run, file = only_run(person.home), person.directory / "shop.tar"
    person.run("sessions", "export", shop, person.directory / "first.tar", timeout=300)  # what it loads is loaded
    before = peak_of(run.pid)
    person.run("sessions", "export", shop, file, timeout=300)
    assert peak_of(run.pid) - before < 32 * _MIB
    assert 512 * _MIB < file.stat().st_size < 520 * _MIB
    person.run("sessions", "import", file, "--path", person.directory / "there", timeout=300)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 200 * _MIB
    identity = person.run("sessions", "show", person.directory / "there", "--json").json["id"]
    log = (person.home.session(identity) / "agents" / agent / "output.log").stat()
    assert (log.st_size, log.st_blocks * 512 < 520 * _MIB) == (5120 * _MIB, True)


def peak_of(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
