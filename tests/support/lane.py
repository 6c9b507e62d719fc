"""Change a workspace in every way there is, under kills, and know what must be true of it afterwards."""

from __future__ import annotations

import json
import random
import shutil
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_core.agent_life import FINAL, State
from descartes_local.processes import process_of
from tests.support.person import Person, Ran
from tests.support.programs import agent
from tests.support.struck import Striker
from tests.support.waiting import wait_until

DONE, MISSING, UNREACHABLE, REFUSED = 0, 3, 4, 5
#: What a command may say whose daemon was killed: that it could not be done, or that nobody knows.
EXCUSES = frozenset({UNREACHABLE, REFUSED})
#: So many times the changes asked for are made, at most, until enough of them were struck.
MOST_TIMES = 4


@dataclass
class Known:
    """An agent whose start was acknowledged."""

    id: str
    name: str
    pid: int
    #: None: it lives until it is ended.
    code: int | None
    is_ended: bool = False
    #: Typed and acknowledged; typed, and nobody knows.
    typed: list[str] = field(default_factory=list)
    maybe: list[str] = field(default_factory=list)


class Lane:
    """One workspace, one change after the other; each is checked before the next."""

    def __init__(self, person: Person, number: int, dice: random.Random) -> None:
        self.person, self.dice = person, dice
        self.striker = Striker(person, random.Random(dice.random()))
        self.shop = person.workspace(f"shop-{number}")
        self.marks = person.directory / f"marks-{number}"
        self.marks.mkdir()
        self.name, self.is_archived = self.shop.name, False
        self.agents: dict[str, Known] = {}
        #: Names of agents whose start nobody acknowledged.
        self.unknown: set[str] = set()
        self.done: list[str] = []
        self.complaints: list[str] = []
        self._count = 0
        person.run("sessions", "start", self.shop)
        self.id = json.loads((self.shop / ".scud/session.json").read_text())["id"]

    def work(self, rounds: int) -> None:
        """Make so many changes, and more until half as many were struck; stop at the first that went wrong."""
        # On a busy machine, or by bad luck, many kills come when the command is over or no daemon is there.
        for number in range(MOST_TIMES * rounds):
            if number >= rounds and sum(self.striker.struck.values()) * 2 >= rounds:
                return
            name = self.dice.choice(self._possible())
            self.done.append(name)
            try:
                getattr(self, f"_{name}")()
                self._look()
            except Exception as error:  # told by the test, with what was done before
                self.complaints.append("".join(traceback.format_exception(error)))
            if self.complaints:
                self.complaints.append(f"done before: {' '.join(self.done[-12:])}")
                return

    def living(self) -> list[Known]:
        """Return the agents that nobody has ended."""
        return [one for one in self.agents.values() if one.code is None and not one.is_ended]

    def _possible(self) -> list[str]:
        if self.is_archived:
            return ["unarchive", "unarchive", "rename", "create_delete"]
        always = ["spawn", "spawn", "spawn_no_tty", "spawn_no_tty", "rename", "archive", "create_delete", "gc"]
        return [*always, *(["kill"] * len(self.living())), *(["write"] * 4 if self.living() else [])]

    def _next(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"

    def _run(self, kind: str, *words: object, workspace: Path | None = None, codes: frozenset[int] = EXCUSES) -> bool:
        """Run a command under a kill; whether it was done. What it could not do it is told again, in peace."""
        ran = self.striker.run(kind, workspace or self.shop, *words)
        self._check(ran, {DONE, *codes})
        return ran is not None and ran.code == DONE

    def _again(self, kind: str, *words: object, codes: frozenset[int] = frozenset()) -> None:
        """Do in peace what may have been done: done once more, or refused because it is."""
        self._check(self.striker.undisturbed(kind, *words), {DONE, *codes})

    def _check(self, ran: Ran | None, codes: set[int] | frozenset[int]) -> None:
        if ran is not None:
            assert ran.code in codes, str(ran)
            assert "Traceback" not in ran.stderr, str(ran)

    def _spawn(self, *options: str) -> None:
        name = self._next("agent")
        stays = len(self.living()) < 3 and self.dice.random() < 0.6
        code = None if stays else self.dice.randrange(100)
        then = 'exec "$@"' if stays else f"exit {code}"
        command = f"echo ran >> {self.marks / name}; {then}"
        words = ("spawn", self.shop, "--name", name, "--json", *options, "--", "sh", "-c", command, "sh")
        ran = self.striker.run("spawn", self.shop, *words, *agent("echoer"))
        self._check(ran, {DONE, *EXCUSES})
        if ran is None or ran.code != DONE:
            self.unknown.add(name)
            return
        self.agents[ran.json["id"]] = Known(ran.json["id"], name, ran.json["pid"], code)
        wait_until(lambda: self._runs(name), f"{name} runs")

    def _spawn_no_tty(self) -> None:
        self._spawn("--no-tty")

    def _kill(self) -> None:
        one = self.dice.choice(self.living())
        self._hear(one)
        words = ("kill", one.id, *self.dice.choice([("--force",), ("--grace", "0.2")]))
        if not self._run("kill", *words):
            self._again("kill", *words, codes=frozenset({REFUSED}))
        self._ended(one)

    def _ended(self, one: Known) -> None:
        one.is_ended = True
        process = process_of(one.pid)
        assert process is None or one.id.encode() not in Path(f"/proc/{one.pid}/environ").read_bytes(), one

    def _write(self) -> None:
        one = self.dice.choice(self.living())
        word = self._next("word")
        if self._run("send", "send", "--enter", one.id, f"{word}."):
            one.typed.append(word)
            wait_until(lambda: self._heard(one, word), f"{one.id} hears {word}")
        else:
            one.maybe.append(word)

    def _heard(self, one: Known, word: str) -> int:
        log = self.person.home.session(self.id) / "agents" / one.id / "output.log"
        # What a killed command typed without its Enter is the beginning of the next line.
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("heard: ")]
        return sum(line.count(f"{word}.") for line in lines)

    def _hear(self, one: Known) -> None:
        counts = {word: self._heard(one, word) for word in one.typed}
        assert set(counts.values()) <= {1}, (one, counts)
        counts = {word: self._heard(one, word) for word in one.maybe}
        assert set(counts.values()) <= {0, 1}, (one, counts)

    def _rename(self) -> None:
        name = self._next("shop of many names")
        if not self._run("rename", "sessions", "rename", self.shop, name):
            assert self._record(self.shop)["name"] in (name, self.name)
            self._again("rename", "sessions", "rename", self.shop, name)
        self.name = name

    def _archive(self) -> None:
        for one in self.living():
            self._hear(one)
        if not self._run("archive", "sessions", "archive", "--force", self.shop):
            self._again("archive", "sessions", "archive", "--force", self.shop, codes=frozenset({REFUSED}))
        self.is_archived = True
        for one in self.living():
            self._ended(one)

    def _unarchive(self) -> None:
        if not self._run("unarchive", "sessions", "unarchive", self.shop):
            self._again("unarchive", "sessions", "unarchive", self.shop, codes=frozenset({REFUSED}))
        self.is_archived = False

    def _gc(self) -> None:
        words = ("gc", self.shop, "--older-than", "0d", "--events-older-than", "0d", "--yes")
        if not self._run("gc", *words):
            self._again("gc", *words)

    def _create_delete(self) -> None:
        side = self.person.directory / "projects" / self._next(f"side of {self.shop.name}")
        if not self._run("create", "sessions", "create", side, workspace=side):
            self._again("create", "sessions", "create", side, codes=frozenset({REFUSED}))
        made = self._record(side)
        assert (made["name"], made["status"]) == (side.name, "Inactive")
        if self.dice.random() < 0.5:
            self.person.run("spawn", side, "--wait", "--", "true")
        for number in range(self.dice.randrange(400)):
            (side / "data" / f"file-{number}").write_text("x")
        self._delete(side, with_files=self.dice.random() < 0.7)
        assert made["id"] not in {one["id"] for one in self._listed()}
        shutil.rmtree(side, ignore_errors=True)

    def _delete(self, side: Path, *, with_files: bool) -> None:
        words = ("sessions", "delete", side, *(["--files", "--yes"] if with_files else []))
        before = contents(side)
        if not self._run("delete", *words, workspace=side):
            if side.exists():
                gone = {path for path in before - contents(side) if path.parts[0] != ".scud"}
                assert gone == set(), f"half deleted: {sorted(gone)[:5]}"
            else:
                assert with_files
            self._again("delete", *words, codes=frozenset({MISSING}))
        if with_files:
            left = [path.name for path in side.parent.iterdir() if side.name in path.name]
            assert left == [], left
        else:
            assert not (side / ".scud/session.json").exists()
            assert {path for path in before - contents(side) if path.parts[0] != ".scud"} == set()

    def _record(self, workspace: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((workspace / ".scud/session.json").read_text())
        return found

    def _listed(self) -> list[dict[str, Any]]:
        told = self.person.run("sessions", "list", "-a", "--json").json
        found: list[dict[str, Any]] = told["sessions"]
        return found

    def _look(self) -> None:
        """What the commands say, and what lies on the disk, is what was acknowledged."""
        (ours,) = [one for one in self._listed() if one["path"] == str(self.shop)]
        assert (ours["id"], ours["name"], ours["status"] == "Archived") == (self.id, self.name, self.is_archived), ours
        record = self._record(self.shop)
        assert (record["id"], record["name"]) == (self.id, self.name)
        runs = {name: self._runs(name) for name in self.unknown}  # before the rows: what runs has one
        rows = [one for one in self.person.run("ps", "-a", "--json").json["agents"] if one["session_id"] == self.id]
        self._look_at_agents({one["id"]: one for one in rows})
        for name, count in runs.items():
            # A daemon that died before the program ran leaves a row that says so, and the command tries once more.
            ran = [one for one in rows if one["name"] == name and one["started_at"] is not None]
            assert count <= len(ran) <= 1, f"{name} ran {count} times, and has {len(ran)} rows"

    def _look_at_agents(self, rows: dict[str, dict[str, Any]]) -> None:
        for one in self.agents.values():
            assert one.id in rows, f"{one} was acknowledged and is unknown"
            status = rows[one.id]["status"]
            if one.code is None:
                # Where a daemon was killed while it ended all, nobody knows how they ended until the next one looks.
                assert (status in {*FINAL, State.LOST}) == one.is_ended, (one, status)
            elif status in FINAL and not self.is_archived:
                assert rows[one.id]["exit_code"] in (one.code, None), (one, rows[one.id])
            assert self._runs(one.name) == 1, f"{one} ran {self._runs(one.name)} times"

    def _runs(self, name: str) -> int:
        mark = self.marks / name
        return mark.read_text().count("ran") if mark.exists() else 0


def contents(place: Path) -> set[Path]:
    """Return all that lies in a directory, as paths from there."""
    return {path.relative_to(place) for path in place.rglob("*")}
