"""A program is started that outlives its starter and holds nothing of it but what it is given."""

from __future__ import annotations

import json
import os
import sys

import pytest

from descartes_core.errors import SupervisorUnreachable
from descartes_local.detached import start_detached
from tests.support.person import Person

#: Tells what it holds, and whose child and session it is, through descriptor 3; then it leaves its starter.
TELL = """
import json, os
told = {"descriptors": sorted(map(int, os.listdir("/proc/self/fd"))), "session": os.getsid(0), "pid": os.getpid(),
        "environment": dict(os.environ)}
os.write(3, json.dumps(told).encode())
"""


def test_it_holds_what_it_is_given_in_a_session_of_its_own(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.home.make()
    monkeypatch.setenv("SOME_KEY", "a secret")
    reads, writes = os.pipe()
    assert reads > 3
    start_detached((sys.executable, "-c", TELL), [writes], person.home)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        told = json.load(pipe)
    assert {0, 1, 2, 3} <= set(told["descriptors"])
    assert {reads, writes}.isdisjoint(told["descriptors"])
    assert told["session"] == told["pid"] != os.getsid(0)
    assert told["environment"]["DESCARTES_HOME"] == str(person.home.path)
    assert "SOME_KEY" not in told["environment"]


@pytest.mark.parametrize("command", [("/nowhere/at-all",), (sys.executable, "-c", "raise SystemExit(3)")])
def test_one_that_does_not_begin_is_told(person: Person, command: tuple[str, ...]) -> None:
    person.home.make()
    with pytest.raises(SupervisorUnreachable, match="cannot be started"):
        start_detached(command, [], person.home)
