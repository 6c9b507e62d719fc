"""`descartes upgrade` after a package upgrade: everything runs the installed code, and agents notice nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from descartes_core.agent_life import FINAL
from tests.support.installation import Installation
from tests.support.person import Person
from tests.support.programs import agent


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Give code of our own that can be upgraded."""
    return Installation.make(tmp_path / "installed")


def living(person: Person) -> dict[str, int]:
    told = person.run("ps", "--json").json["agents"]
    return {one["id"]: one["pid"] for one in told if one["status"] not in FINAL}


def two_shops(person: Person, installation: Installation) -> dict[str, int]:
    """Start two sessions with an agent each; return the agents."""
    for name in ("one", "two"):
        shop = person.workspace(name)
        installation.run("sessions", "start", shop)
        person.spawn(shop, agent("echoer"))
    return living(person)


def install(installation: Installation) -> None:
    """Upgrade the package."""
    changed = installation.file("descartes_daemon/serve.py")
    changed.write_text(changed.read_text() + "\n")


def ends(told: dict[str, Any]) -> set[bool]:
    return {one["now"]["stamp"] == told["installed"] for one in told["restarted"]}


@pytest.mark.timeout(120)
def test_everything_runs_the_installed_code(person: Person, installation: Installation) -> None:
    agents = two_shops(person, installation)
    told = installation.run("upgrade")
    assert (told["restarted"], len(told["current"]), told["failed"]) == ([], 2, [])

    install(installation)
    doctor = installation.try_run("doctor").json["remarks"]
    assert [
        one["do"] for one in doctor if "other code" in one["text"] and one["about"] in ("session one", "session two")
    ] == ["descartes upgrade"] * 2
    told = installation.run("upgrade")
    assert told["supervisor"]["to"]["stamp"] == told["installed"] != told["supervisor"]["from"]["stamp"]
    assert ([one["name"] for one in told["restarted"]], told["current"], told["failed"]) == (["one", "two"], [], [])
    assert ends(told) == {True}
    assert living(person) == agents
    assert len(installation.run("upgrade", "--force")["restarted"]) == 2
    assert living(person) == agents


@pytest.mark.timeout(120)
def test_one_that_cannot_be_replaced_hinders_no_other(person: Person, installation: Installation) -> None:
    agents = two_shops(person, installation)
    install(installation)
    (person.directory / "projects" / "one" / ".scud" / "descartes.toml").write_text("[server]\nnonsense = 1\n")
    done = installation.try_run("upgrade")
    assert done.code == 2
    (failure,) = done.json["failed"]
    assert failure["code"] == "config_invalid"
    assert [one["name"] for one in done.json["restarted"]] == ["two"]
    assert living(person) == agents


def test_where_nothing_runs_nothing_is_done(person: Person) -> None:
    told = person.run("upgrade", "--json").json
    assert (told["supervisor"], told["restarted"], told["failed"]) == ({"running": False}, [], [])
    assert "no supervisor is running" in person.run("upgrade").stdout
