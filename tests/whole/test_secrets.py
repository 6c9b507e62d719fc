"""A secret that somebody gives to an agent is found nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from descartes_local.rpc_client import call
from tests.support.person import Person
from tests.support.serving import only_run

pytestmark = pytest.mark.supervisor("shared")

#: Nothing else has this in it.
SECRET = "hunter2hunter2"
#: Given by --env alone, it is not even in the store.
GIVEN = "swordfish-by-env"
COMMANDS = (
    ["sh", "-c", f"A_TOKEN={SECRET} true; exit 3"],
    ["env", f"OPENAI_API_KEY={SECRET} with blanks", "true"],
    ["true", "--api-key", SECRET, f"--token={SECRET}", f"https://me:{SECRET}@example.org/"],
    ["true", "-H", f"Authorization: Bearer {SECRET}", f'{{"client_secret": "{SECRET}"}}'],
)
CANNOT_RUN = (
    [f"A_TOKEN={SECRET}", "true"],
    [f"/no/such/DB_PASSWORD={SECRET}/x"],
)


def holds(path: Path, secret: str) -> bool:
    return secret.encode() in path.read_bytes()


def files_with(secret: str, directory: Path) -> list[str]:
    """Return the files that hold a secret, but the store, whose history is true, and what agents said themselves."""
    found = []
    for parent, _, names in os.walk(directory):
        for path in (Path(parent) / name for name in names):
            is_apart = path.name.startswith("state.db") or path.name.startswith(("output.", "errors."))
            if path.is_file() and not is_apart and holds(path, secret):
                found.append(str(path))
    return found


@pytest.mark.timeout(120)
def test_no_list_event_log_or_error_tells_a_secret(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = person.workspace("shop")
    monkeypatch.setenv("DESCARTES_LOG__LEVEL", "debug")
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    told = []
    for command in COMMANDS:
        options = ("--env", f"MORE={GIVEN}", "--env", f"X_SECRET={SECRET}", "--json")
        told.append(person.run("spawn", shop, *options, "--wait", "--", *command, check=False))
    told += [person.run("spawn", shop, "--env", f"MORE={SECRET}", "--", *words, check=False) for words in CANNOT_RUN]
    assert [ran.code for ran in told] == [3, 0, 0, 0, 4, 4]
    told.append(person.run("spawn", shop, "--env", SECRET, "--", "true", check=False))
    run = only_run(person.home)
    for params in ({"extra_env": {f"A={SECRET}": "x"}}, {"command": ["true"], "env": {"A": [SECRET]}}):
        with pytest.raises(Exception, match=r".") as caught:
            call(run.socket, "agent.spawn", {"request_id": os.urandom(4).hex(), **params})
        assert SECRET not in str(caught.value)
    agents = call(run.socket, "agent.list", {"all": True})["agents"]
    details = [call(run.socket, "agent.get", {"agent_id": agent["id"]}) for agent in agents]
    assert len(agents) == len(COMMANDS) + len(CANNOT_RUN)
    assert SECRET not in json.dumps([agents, details])
    told += [person.run(*words) for words in (["ps", "-a"], ["ps", "-a", "--json"], ["events", "--json"])]
    person.run("sessions", "stop", shop)
    told += [person.run("ps", "-a", "--json"), person.run("sessions", "show", shop)]
    assert [str(ran) for ran in told if SECRET in ran.stdout + ran.stderr] == []
    assert files_with(SECRET, person.directory) == []
    assert [str(path) for path in person.directory.rglob("*") if path.is_file() and holds(path, GIVEN)] == []


def test_the_token_is_told_to_nobody(person: Person) -> None:
    shop = person.workspace("shop")
    person.run("sessions", "start", shop)
    token = person.home.token.read_text().strip()
    agent = person.spawn(shop, ["true", "-H", f"Authorization: Bearer {token}"])
    person.run("wait", agent["id"])
    told = [
        person.run(*words).stdout for words in (["ps", "-a", "--json"], ["events", "--json"], ["logs", agent["id"]])
    ]
    assert all(token not in text for text in told)
    assert files_with(token, person.directory) == [str(person.home.token)]


def test_history_is_true_all_the_same(person: Person) -> None:
    """The store keeps the command as it was; nobody else may read it."""
    shop = person.workspace("shop")
    person.run("spawn", shop, "--wait", "--", "true", "--token", SECRET)
    store = person.home.session(only_run(person.home).session_id) / "state.db"
    assert any(SECRET.encode() in path.read_bytes() for path in store.parent.glob("state.db*"))
    assert store.stat().st_mode & 0o077 == 0
