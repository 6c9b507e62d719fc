"""vim, htop, a Python REPL and bash with job control on a WebSocket; a flood with three watchers, one stalled."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.page import Page
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import kill_daemon, only_run
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(150), pytest.mark.supervisor("shared")]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


class Stage:
    """Somebody's agents, and pages that show them."""

    def __init__(self, person: Person, stack: ExitStack) -> None:
        self.person, self._stack = person, stack
        self.shop = person.workspace("shop")

    def spawn(self, command: list[str], *options: object) -> str:
        """Start an agent and return its id."""
        spawned: dict[str, Any] = self.person.spawn(self.shop, command, *options)
        return str(spawned["id"])

    def page(self, identity: str, query: str = "rows=24&cols=80") -> Page:
        """Open a page."""
        endpoint = only_run(self.person.home).ws_endpoint
        return self._stack.enter_context(closing(Page(endpoint, self.person.home.path, identity, query)))


@pytest.fixture
def stage(person: Person) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(person, stack)


@needs("vim")
def test_vim_is_used_left_and_come_back_to(stage: Stage) -> None:
    editor = stage.spawn(["vim", "-u", "NONE", "-N", "notes.txt"])
    page = stage.page(editor)
    page.see("~")
    page.type("ihello from a page\x1b")
    page.see("hello from a page")
    page.close()
    again = stage.page(editor)
    again.see("hello from a page")
    kill_daemon(stage.person.home)
    again.come_back()
    again.type(":wq\r")
    ended = again.to_the_end()
    assert (ended["exit_code"], ended["cause"]) == (0, "ended_well")
    assert (stage.shop / "notes.txt").read_text() == "hello from a page\n"


@needs("htop")
def test_htop_paints_and_quits(stage: Stage) -> None:
    page = stage.page(stage.spawn(["htop"]))
    page.see("F10")
    page.tell(type="resize", rows=30, cols=120)
    page.forget()
    page.see("F10")
    page.type("q")
    assert page.to_the_end()["exit_code"] == 0


def test_a_python_repl_answers(stage: Stage) -> None:
    page = stage.page(stage.spawn([sys.executable, "-q", "-i", "-c", ""]))
    page.see(">>>")
    page.type("6 * 7\r")
    page.see("\n42")
    page.type("import time; time.sleep(600)\r")
    page.see("600)")
    page.type("\x03")
    page.see("KeyboardInterrupt")
    page.type("exit(3)\r")
    assert page.to_the_end()["exit_code"] == 3


def test_bash_controls_its_jobs(stage: Stage) -> None:
    page = stage.page(stage.spawn(["bash", "--norc"], "--env", "PS1=here% "))
    page.see("here%")
    page.type("sleep 600\r")
    page.see("sleep 600")
    page.type("\x1a")
    page.see("Stopped")
    page.forget()
    page.type("fg\r")
    page.see("sleep 600")
    page.type("\x03")
    page.type("stty size\r")
    page.see("24 80")
    page.type("exit 5\r")
    assert page.to_the_end()["exit_code"] == 5


def test_a_flood_reaches_all_but_holds_up_nobody(stage: Stage) -> None:
    """200,000 lines, three watchers, one of whom takes nothing: the others are complete, and so is he, once he does."""
    checksum = stage.person.directory / "checksum"
    loud = agent("loud", 200_000, "--checksum", checksum, "--width", 60)
    identity = stage.spawn(["sh", "-c", 'stty -echo; read go; exec "$@"', "sh", *loud])
    first, second = stage.page(identity, "from=0"), stage.page(identity, "from=0&mode=ro")
    stalled = stage.page(identity, "from=0&mode=ro")
    while not first.pen:
        first.read(20.0)
    first.type("\r")
    first.to_the_end()
    second.to_the_end()
    wait_until(checksum.exists, "the checksum", 20.0)
    wanted = json.loads(checksum.read_text())["sha256"]
    stalled.to_the_end()
    said = first.output[-count(checksum) :]
    assert hashlib.sha256(said).hexdigest() == wanted
    assert first.output == second.output == stalled.output


def count(checksum: Path) -> int:
    """Return how many bytes were said."""
    return int(json.loads(checksum.read_text())["bytes"])


def test_what_was_dropped_meanwhile_is_told_and_the_rest_has_its_offset(stage: Stage) -> None:
    cap = 10 * 1024 * 1024
    stage.person.run("sessions", "start", stage.shop, env={"DESCARTES_OUTPUT__AGENT_CAP": str(cap)})
    flood = f"stty -echo; echo ready; read go; yes {'x' * 99} | head -c 30000000; echo end"
    identity = stage.spawn(["sh", "-c", flood])
    page = stage.page(identity, "from=0&mode=ro")
    page.see("ready")
    stage.person.run("send", identity, "--enter", "")
    stage.person.run("wait", identity)
    page.to_the_end()
    assert page.gaps
    missing = sum(end - begin for begin, end in page.gaps)
    assert missing > 30_000_000 - 2 * cap
    assert len(page.output) + missing == page.offset
    assert page.output.endswith(b"end\r\n")
    agent_now = stage.person.run("ps", "-a", "--json").json["agents"][0]
    assert agent_now["output_bytes"] == page.offset
