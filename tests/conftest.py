"""What every test stands on: a fresh HOME, and nothing left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from descartes_local.supervisor_client import ensure
from tests.support import household
from tests.support.household import Household
from tests.support.leftovers import doors_of, end_everything, left_open, logs_of, open_now, processes_of, wait_and_kill
from tests.support.moments import Moments
from tests.support.person import Person, Ran

# `pytest --hypothesis-profile=long` tries more.
settings.register_profile("short", max_examples=25)
settings.register_profile("long", max_examples=1000, deadline=None)
settings.load_profile("short")

#: A supervisor that keeps nothing is gone soon after a test.
LINGER = "0.5"


def pytest_collection_finish() -> None:
    """Let the collector leave alone what is loaded: each test that looks for garbage would look through all of it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember that a test failed, for the fixtures that tell more then."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        item.stash[_FAILED] = True
    return report


_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def runtime_directory() -> Iterator[Path]:
    """Give a short directory for the sockets of homes that lie too deep for them, as pytest's own do."""
    with tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, runtime_directory: Path) -> None:
    """Keep the developer's own settings out of every test."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_directory))
    for name in [name for name in os.environ if name.startswith(("DESCARTES_", "LISTEN_", "NOTIFY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def households() -> Iterator[list[Household]]:
    """Give what tests with a shared supervisor live in: one, once there is a test that wants it."""
    made: list[Household] = []
    yield made
    for one in made:
        one.close()


@pytest.fixture
def person(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, no_settings: None) -> Iterator[Person]:
    """Give somebody with a fresh, short HOME; at the end nothing of theirs may be left."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    marker = request.node.get_closest_marker("supervisor")
    living = _in_a_household if marker and marker.args == ("shared",) else _alone
    with living(request, monkeypatch) as somebody:
        yield somebody


@contextlib.contextmanager
def _alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    descriptors = open_now()
    directory = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.setenv("DESCARTES_SUPERVISOR_LINGER", LINGER)
    somebody = Person(directory)
    try:
        yield somebody
        end_everything(somebody.home)
        _assert_nothing_is_left(request, somebody, descriptors, set())
    finally:
        wait_and_kill(directory, 0.0) if processes_of(directory) else None
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _in_a_household(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    households: list[Household] = request.getfixturevalue("households")
    if not households:
        households.append(Household())
    descriptors = open_now()
    monkeypatch.setenv("HOME", str(households[0].person.directory))
    monkeypatch.setenv("DESCARTES_SUPERVISOR_LINGER", household.LINGER)
    try:
        # Here, as nothing of this test's variables shall be passed on to the next one's.
        ensure(households[0].person.home).close()
        yield households[0].person
        residents = households[0].end_sessions()
        _assert_nothing_is_left(request, households[0].person, descriptors, residents)
        households[0].tidy()
    except BaseException:
        # The next test shall not inherit what is wrong here.
        households.pop().close()
        raise


def _assert_nothing_is_left(
    request: pytest.FixtureRequest, somebody: Person, descriptors: dict[int, str], residents: set[int]
) -> None:
    stayed = wait_and_kill(somebody.directory, residents=residents)
    if stayed or request.node.stash.get(_FAILED, False):
        print(logs_of(somebody.home))
    left = [f"process {process.pid}: {command}" for process, command in stayed.items()]
    left += [f"file {name}" for name in doors_of(somebody.home) if not (residents and name in household.DOORS)]
    left += [f"descriptor {what}" for what in left_open(descriptors)]
    assert not left, f"left behind: {left}"


@pytest.fixture
def descartes(person: Person) -> Callable[..., Ran]:
    """Give the installed command, run in a fresh HOME."""
    return person.run


@pytest.fixture
def workspace(person: Person) -> Callable[..., Path]:
    """Give a maker of workspaces in the fresh HOME."""
    return person.workspace


@pytest.fixture
def moments(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moments]:
    """Give the named moments of every program started from here on."""
    probe = Moments(person.directory / "probe")
    monkeypatch.setenv("DESCARTES_PROBE", str(probe.path))
    try:
        yield probe
    finally:
        probe.close()
