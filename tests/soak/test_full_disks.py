"""A disk that is full, or cannot be written, in the middle of the work: told clearly, nothing torn, and it goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest

from tests.support.disk import Disk, small_disk
from tests.support.person import Person, Ran
from tests.support.programs import agent
from tests.support.waiting import process_gone, wait_until

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="only root mounts"),
    pytest.mark.timeout(300),
]
#: What a person is told, in one of these words.
FULL = ("full", "No space left", "disk I/O error", "cannot write")
READ_ONLY = ("Read-only file system", "cannot be written", "readonly")


@pytest.fixture
def disk(person: Person) -> Iterator[Disk]:
    with small_disk(person) as disk:
        yield disk


def changes(disk: Disk, living: str) -> list[list[object]]:
    """Return a command for each place that is written."""
    return [
        ["send", "--enter", living, "hello"],
        ["spawn", disk.shop, "--name", "with", "--", "true"],
        ["spawn", disk.shop, "--name", "without", "--no-tty", "--", "true"],
        ["sessions", "rename", disk.shop, "store"],
        ["sessions", "create", disk.place / "new"],
        ["sessions", "use", disk.shop],
        ["config", "init"],
        ["gc", disk.shop, "--older-than", "0d", "--yes"],
        ["kill", "--force", living],
        ["sessions", "archive", "--force", disk.shop],
    ]


@pytest.mark.parametrize(
    "spare", [0, pytest.param(4096, marks=pytest.mark.soak), pytest.param(40_960, marks=pytest.mark.soak)]
)
def test_every_change_on_a_full_disk_is_done_or_told(disk: Disk, spare: int) -> None:
    disk.run("sessions", "start", disk.shop)
    living = disk.json("spawn", disk.shop, "--grace", "0.2", "--", *agent("echoer"))["id"]
    disk.run("spawn", disk.shop, "--wait", "--name", "old", "--", "echo", "said")
    filler = disk.fill(spare)
    refused = []
    for words in changes(disk, living):
        ran = disk.run(*words, check=False)
        assert ran.code in (0, 4), str(ran)
        assert ran.code == 0 or any(word in ran.stderr for word in FULL), str(ran)
        assert disk.torn() == []
        if ran.code:
            refused.append(words)
    assert refused or spare
    if ["sessions", "rename", disk.shop, "store"] in refused:
        assert disk.json("sessions", "show", disk.shop)["name"] == "shop"
    assert living in {one["id"] for one in disk.json("ps", "-a")["agents"]}
    filler.unlink()
    if disk.json("sessions", "show", disk.shop)["status"] == "Archived":
        disk.run("sessions", "unarchive", disk.shop)
    for words in refused:
        disk.run(*words, check=living not in words)  # which may have ended with the archiving
    disk.run("sessions", "archive", "--force", disk.shop, check=False)
    assert disk.json("sessions", "show", disk.shop)["name"] == "store"
    assert disk.json("sessions", "show", disk.shop)["status"] == "Archived"
    ended = {one["name"]: one["status"] for one in disk.json("ps", "-a")["agents"]}
    assert {ended["old"], ended["with"], ended["without"]} == {"completed"}


@pytest.mark.soak
def test_a_session_on_a_full_disk_ends_within_its_agents_grace(disk: Disk) -> None:
    """Nobody can note that they are to end, nor how they did: they are asked all the same, and it is not waited for."""
    disk.run("sessions", "start", disk.shop)
    asked = disk.person.directory / "asked"
    trap = f"trap 'touch {asked}; exit' HUP; echo ready; while :; do read line; done"
    good = disk.json("spawn", disk.shop, "--grace", "9", "--", "sh", "-c", trap)
    deaf = disk.json("spawn", disk.shop, "--grace", "2", "--name", "deaf", "--", *agent("deaf"))
    for one in (good, deaf):
        wait_until(lambda one=one: "ready" in disk.run("logs", one["id"]).stdout, "it has begun")  # type: ignore[misc]
    filler = disk.fill(0)
    began = time.monotonic()
    disk.run("sessions", "stop", "--force", disk.shop)
    assert time.monotonic() - began < 6.0, "it waited for more than the deaf one's grace"
    assert asked.exists()
    for ended in (good, deaf):
        process_gone(ended["pid"], 1.0)
    filler.unlink()
    disk.run("sessions", "start", disk.shop)
    assert {one["status"] for one in disk.json("ps", "-a")["agents"]} == {"failed"}


def test_every_change_of_a_read_only_workspace_is_done_or_told(disk: Disk) -> None:
    """The workspace alone: what lies in HOME goes on as ever."""
    env = {"DESCARTES_HOME": str(disk.person.directory / "home")}

    def run(*words: object, check: bool = True) -> Ran:
        return disk.person.run(*words, check=check, env=env)

    run("sessions", "create", disk.place / "other")
    run("sessions", "start", disk.shop)
    disk.remount("ro")
    try:
        assert run("spawn", disk.shop, "--wait", "--", "sh", "-c", "exit 3", check=False).code == 3
        for words in (
            ["sessions", "rename", disk.shop, "store"],
            ["sessions", "archive", disk.place / "other"],
            ["sessions", "create", disk.place / "new"],
            ["sessions", "delete", disk.place / "other"],
            ["sessions", "delete", "--files", "--yes", disk.place / "other"],
        ):
            ran = run(*words, check=False)
            assert ran.code == 4, str(ran)
            assert any(word in ran.stderr for word in READ_ONLY), str(ran)
        assert {path.name for path in (disk.place / "other").iterdir()} == {".scud", "data", "logs", "thoughts"}
    finally:
        disk.remount("rw")
    run("sessions", "rename", disk.shop, "store")
    run("sessions", "delete", "--files", "--yes", disk.place / "other")
    assert run("sessions", "show", disk.shop, "--json").json["name"] == "store"
    assert not (disk.place / "other").exists()


@pytest.mark.parametrize("policy", ["wait", "drop"])
@pytest.mark.parametrize("options", [(), pytest.param(("--no-tty",), marks=pytest.mark.soak)], ids=["tty", "no-tty"])
@pytest.mark.soak
def test_a_flood_onto_a_full_disk_is_told_and_goes_on(disk: Disk, policy: str, options: tuple[str, ...]) -> None:
    """With a terminal the agent waits or loses what is told; without one its own writes fail, as on any full disk."""
    disk.home.make()
    (disk.home.path / "config.toml").write_text(f'[output]\non_full_disk = "{policy}"\n')
    disk.run("sessions", "start", disk.shop)
    told = disk.person.directory / "told"
    loud = agent("loud", 100_000, "--width", 98, "--checksum", told)
    spawned = disk.json("spawn", disk.shop, *options, "--name", "flood", "--", *loud)
    flood = spawned["id"]
    if options:
        process_gone(spawned["pid"], 30)
        assert not told.exists()
    else:
        wait_until(lambda: noticed(disk, flood), "the trouble is told", 30)
        assert disk.run("doctor", check=False).stdout.count("disk") >= 1
    disk.remount("size=64m")
    assert (disk.run("wait", flood, check=False).code == 0) is not bool(options)
    if not options:
        size = json.loads(told.read_text())["bytes"]
        (one,) = [one for one in disk.json("ps", "-a")["agents"] if one["id"] == flood]
        assert one["output_bytes"] == size
        said = disk.run("logs", flood)
        lines = len(said.stdout.splitlines())
        assert lines == 100_000 if policy == "wait" else (0 < lines < 100_000 and "are gone" in said.stderr)
    assert disk.run("spawn", disk.shop, "--wait", "--", "echo", "after").code == 0


def noticed(disk: Disk, identity: str) -> bool:
    return any(one["id"] == identity and one["notice"] for one in disk.json("ps")["agents"])
