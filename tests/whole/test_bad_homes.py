"""A HOME on a full disk, one that cannot be written, or somebody else's: a clear error, at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_local.home import Home
from tests.support.leftovers import end_everything, processes_of
from tests.support.person import Person
from tests.support.programs import installed
from tests.support.refusing import refused
from tests.support.serving import only_run
from tests.support.waiting import wait_until

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts and gives away")


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a file system of its own for the block."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path, spare: int = 0) -> Path:
    """Take all room there is but a few bytes."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    os.truncate(filler, max(0, filler.stat().st_size - spare))
    return filler


@as_root
@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_new", [True, False], ids=["fresh", "used"])
def test_a_home_on_a_full_disk_is_told_at_once(person: Person, shop: Path, is_new: bool) -> None:
    """A start took 10 s, as each error of the new store was taken for another process at it, and ended with 120."""
    with small_disk(person.directory / "disk", "2m") as disk:
        env = {"DESCARTES_HOME": str(disk / "home")}
        home = Home(disk / "home")
        try:
            if not is_new:
                person.run("sessions", "start", shop, env=env)
                person.run("sessions", "stop", shop, env=env)
            for spare in (0, 4096, 44 * 1024):
                filler = fill(disk, spare)
                began = time.monotonic()
                for words in (["sessions", "start", shop], ["spawn", shop, "--", "true"]):
                    ran = person.run(*words, check=False, env=env)
                    assert ran.code in (0, 4), str(ran)
                    told = ("full", "No space left", "disk I/O error")
                    assert ran.code == 0 or any(reason in ran.stderr for reason in told), str(ran)
                    assert "code 120" not in ran.stderr, str(ran)
                assert time.monotonic() - began < 9
                person.run("sessions", "stop", shop, "--force", "--grace", 1, env=env, check=False)
                filler.unlink()
            agent = person.run("spawn", shop, "--wait", "--", "sh", "-c", "exit 3", check=False, env=env)
            assert agent.code == 3, str(agent)
        finally:
            end_everything(home)
            wait_until(lambda: not processes_of(person.directory), "everything ends")


@as_root
def test_a_home_that_cannot_be_written_is_told(person: Person, shop: Path) -> None:
    with small_disk(person.directory / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for words in (["spawn", shop, "--", "true"], ["sessions", "start", shop], ["config", "init"]):
            refused(person, 4, list(words), "Read-only file system", env={"DESCARTES_HOME": str(disk / "home")})
        assert person.run("ps", "--json", env={"DESCARTES_HOME": str(disk / "home")}).json["agents"] == []
        lone = [installed("descartes-daemon"), "--workdir", str(shop)]
        env = {**os.environ, "DESCARTES_HOME": str(disk / "home")}
        done = subprocess.run(lone, capture_output=True, text=True, timeout=40, env=env)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr


@as_root
def test_somebody_elses_home_is_left_alone(person: Person, shop: Path) -> None:
    theirs = person.directory / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, 12345, 12345)
    for words in (["spawn", shop, "--", "true"], ["sessions", "start", shop], ["config", "init"]):
        refused(person, 4, list(words), "belongs to another user", env={"DESCARTES_HOME": str(theirs)})
    assert list(theirs.iterdir()) == []
    assert theirs.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["pipe", "directory", "empty", "garbage", "open"])
def test_a_token_that_is_none_is_told_or_made_anew(person: Person, shop: Path, kind: str) -> None:
    person.home.make()
    token = person.home.token
    if kind == "pipe":
        os.mkfifo(token)
    elif kind == "directory":
        token.mkdir()
    else:
        token.write_bytes({"empty": b"", "garbage": b"\0\xff" * 300, "open": b"o" * 43 + b"\n"}[kind])
        token.chmod(0o644)
    if kind in ("pipe", "directory"):
        ran = person.run("sessions", "start", shop, check=False)
        assert ran.code == 4, str(ran)
        assert f"{token}" in ran.stderr
        return
    person.run("sessions", "start", shop)
    log = (person.home.session(only_run(person.home).session_id) / "daemon.log").read_text()
    assert "its mode is 0600 now" in log
    assert (kind == "open") == (token.read_bytes() == b"o" * 43 + b"\n")
    assert ("has a new token" in log) == (kind != "open")
    assert token.stat().st_mode & 0o777 == 0o600
