"""Events reach their receivers over kills, restarts and renewals, and what a hook runs leaves nothing."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from descartes_daemon.hooks.running import MARK
from descartes_local.processes import environ_of, every_stat, mark_of
from tests.support import receiver
from tests.support.house import ROOT
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.receiver import Receiver, status
from tests.support.serving import kill_daemon, only_run
from tests.support.storm import Killer, ask
from tests.support.waiting import wait_until

SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
#: Many deaths in a row are the point here, and pauses pass as quickly as a test wants.
CONFIG = """
[supervisor]
early_deaths = 1000
deaths = 1000
first_pause = 0.01
longest_pause = 0.05
[hooks]
first_pause = 0.01
longest_pause = 0.1
"""


def configured(person: Person) -> dict[str, Any]:
    """Start the session `shop` with quick pauses."""
    person.home.make()
    (person.home.path / "config.toml").write_text(CONFIG)
    shop = person.workspace("shop")
    started: dict[str, Any] = person.run("sessions", "start", shop, "--json").json
    person.run("sessions", "use", shop)  # the one that is meant where none is named
    return started


def call(person: Person, method: str, **params: Any) -> Any:
    return ask(only_run(person.home).socket, method, params)


def hooks(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(person, "hook.list")["hooks"]
    return found


def events(person: Person, *kinds: str) -> list[dict[str, Any]]:
    """Return all of the session's events of these kinds."""
    told = call(person, "event.list", limit=10_000)["events"]
    return [event for event in told if not kinds or event["event_type"] in kinds]


def marked(hook_id: str) -> list[int]:
    pids = [stat.process.pid for stat in every_stat() if not stat.is_dead]
    return [pid for pid in pids if mark_of(environ_of(pid), MARK) == hook_id]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [pytest.param(4, id="4"), pytest.param(100, id="100", marks=pytest.mark.soak)])
def test_every_event_is_told_in_order_over_kills_at_random_moments(person: Person, times: int) -> None:
    dice = random.Random(SEED)
    session = configured(person)
    with Receiver() as taker:
        answers = [status(200), status(500), receiver.closes, receiver.says(b"?")]
        taker.usual = lambda connection: dice.choices(answers, (6, 2, 1, 1))[0](connection)
        person.run("hooks", "add", taker.url, "--allow-private", "--on", "agent.*", "--since", "0")
        killer = Killer(person.home, session["id"], times, random.Random(dice.random()))
        killer.start()
        while not killer.over.is_set():
            # Two kills during one spawn are more than a command repeats.
            person.run("spawn", person.directory / "projects/shop", "--wait", "--", "true", check=False)
        killer.join()
        wanted = [event["seq"] for event in events(person) if event["type"] == "AgentEvent"]
        taken = taker.until(lambda some: bool(some) and some[-1].event["seq"] == wanted[-1], 60.0)
        wait_until(lambda: hooks(person)[0]["behind"] == 0, "the last one to be taken", 30.0)
    first_told = list(dict.fromkeys(one.event["seq"] for one in taken))
    assert first_told == wanted, f"seed {SEED}"
    assert len(killer.killed) >= times * 0.8
    assert hooks(person)[0]["dead"] == 0
    person.run("sessions", "stop", "shop")


def test_a_kill_between_answer_and_commit_repeats_that_one_event(person: Person, moments: Any) -> None:
    configured(person)
    with Receiver() as taker:
        person.run("hooks", "add", taker.url, "--allow-private", "--on", "agent.*")
        with moments.hold("hook.delivered") as held:
            spawned = person.start("spawn", person.directory / "projects/shop", "--", "true")
            os.kill(held.wait(), signal.SIGKILL)
        spawned.wait(30)
        last = wait_until(lambda: events(person, "completed"), "the agent's end")[-1]["seq"]
        taken = [one.event["seq"] for one in taker.until(lambda some: some[-1].event["seq"] == last)]
    assert taken[0] == taken[1]
    assert taken[1:] == sorted(set(taken))
    assert len({one.delivery for one in taker.taken}) == len(taken) - 1


@pytest.mark.soak
def test_restarts_renewals_stops_and_another_supervisor_lose_and_repeat_nothing(person: Person) -> None:
    configured(person)
    shop = person.directory / "projects/shop"
    with Receiver() as taker:
        person.run("hooks", "add", taker.url, "--allow-private", "--on", "agent.completed")
        for words in (["sessions", "restart", "--all"], ["supervisor", "upgrade"], ["sessions", "stop", "shop"]):
            person.run("spawn", shop, "--wait", "--", "true")
            person.run(*words)
        person.run("spawn", shop, "--wait", "--", "true")
        os.kill(person.run("supervisor", "status", "--json").json["pid"], signal.SIGKILL)
        person.run("spawn", shop, "--wait", "--", "true")
        ended = [event["seq"] for event in events(person, "completed")]
        assert len(ended) == 5
        taken = [one.event["seq"] for one in taker.count(5)]
    assert taken == ended


def test_what_a_command_leaves_is_ended_with_it_and_none_is_a_stray(person: Person) -> None:
    configured(person)
    shop, out = person.directory / "projects/shop", person.directory / "out"
    words = " ".join(agent("forker"))
    script = f"cat > {out}; ({words} > /dev/null 2>&1 &); setsid sleep 1000 > /dev/null 2>&1 & exit 0"
    person.run("hooks", "add", "--command", f"sh -c '{script}'", "--on", "agent.completed")
    person.run("spawn", shop, "--wait", "--", "true")
    (hook,) = wait_until(lambda: [one for one in hooks(person) if one["delivered"] == 1], "the command")
    assert json.loads(out.read_text())["event_type"] == "completed"
    assert marked(hook["hook_id"]) == []
    told = person.run("ps", "-a", "--json").json
    assert (len(told["agents"]), told["unattributed"]) == (1, [])


@pytest.mark.parametrize("way", ["killed", "restarted"])
def test_a_command_that_runs_ends_with_its_daemon_and_is_run_again_by_the_next(person: Person, way: str) -> None:
    configured(person)
    shop, out = person.directory / "projects/shop", person.directory / "out"
    script = f"echo $DESCARTES_DELIVERY >> {out}; sleep 1000 & setsid sleep 1000"
    added = person.run("hooks", "add", "--command", f"sh -c '{script}'", "--on", "agent.completed", "--json").json
    hook_id = added["hook"]["hook_id"]
    person.run("spawn", shop, "--wait", "--", "true")
    before = set(wait_until(lambda: (found := marked(hook_id)) and len(found) >= 3 and found, "the command"))
    told = person.run("ps", "-a", "--json").json
    assert (len(told["agents"]), told["unattributed"]) == (1, [])
    kill_daemon(person.home) if way == "killed" else person.run("sessions", "restart", "--all")
    wait_until(lambda: len(marked(hook_id)) >= 3 and not before & set(marked(hook_id)), "the next run of it")
    assert out.read_text().split() == [f"{hook_id}.{events(person, 'completed')[0]['seq']}"] * 2
    assert person.run("ps", "--json").json["unattributed"] == []
    person.run("sessions", "stop", "shop")
    assert marked(hook_id) == []


@contextmanager
def receiver_of_the_page(person: Person, key: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program that docs/hooks.md shows."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/hooks.md").read_text(), re.DOTALL)
    assert len(program.strip().splitlines()) <= 24
    variables = {**os.environ, "KEY": key, "PORT": "0"}
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as shown:
        try:
            yield shown
        finally:
            shown.kill()


def test_the_receiver_of_the_page_takes_what_is_signed_and_refuses_the_rest(person: Person) -> None:
    configured(person)
    shop = person.directory / "projects/shop"
    (person.directory / "key").write_text("a-key-of-some-length\n")
    with receiver_of_the_page(person, "a-key-of-some-length") as shown:
        assert shown.stdout is not None
        port = int(shown.stdout.readline().split()[-1])
        where = (f"http://localhost:{port}/", "--allow-private", "--on", "agent.completed")
        person.run("hooks", "add", *where, "--name", "right", "--secret-file", person.directory / "key")
        ran = person.run("hooks", "add", *where, "--name", "wrong")
        assert re.search("not shown again: [-_A-Za-z0-9]{43}$", ran.stderr)
        person.run("spawn", shop, "--wait", "--name", "fixer", "--", "true")
        word, _, body = shown.stdout.readline().partition(" ")
        assert (word, json.loads(body)["data"]["name"]) == ("agent.completed", "fixer")
        wrong = wait_until(lambda: [one for one in hooks(person) if one["error"]], "a refusal")
        assert [(one["name"], one["error"]) for one in wrong] == [("wrong", "answered 401")]
    assert person.run("hooks", "dead").stdout == "no dead letters\n"
    listed = person.run("hooks", "list").stdout
    assert "a-key-of-some-length" not in listed
    assert f"http://localhost:{port}/" in listed
    assert (
        "a-key-of-some-length" not in (person.home.session(only_run(person.home).session_id) / "daemon.log").read_text()
    )


def test_a_hook_is_added_over_http_too_and_every_verb_answers_in_json(person: Person) -> None:
    session = configured(person)
    with Receiver(usual=status(410)) as taker:
        body = json.dumps({"url": taker.url, "allow_private": True, "on": ["agent.completed"]}).encode()
        token = (person.home.path / "token").read_text().strip()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{session['http_endpoint']}/rpc/hook.add", body, head)
        with urllib.request.urlopen(asked) as answer:
            added = json.load(answer)
        person.run("spawn", person.directory / "projects/shop", "--wait", "--", "true")
        taker.count(1)
        (hook,) = wait_until(lambda: [one for one in hooks(person) if one["state"] == "disabled"], "its end")
        assert hook["hook_id"] == added["hook"]["hook_id"]
        assert "answered 410" in person.run("hooks", "list", "-s", "shop").stdout
        taker.usual = status(500)
        assert person.run("hooks", "retry", "localhost", "--json").json["letters"] == 0
        (dead,) = wait_until(lambda: person.run("hooks", "dead", "--json").json["deliveries"], "a dead letter", 30.0)
        assert dead["delivery"] in person.run("hooks", "dead", "localhost").stdout
        taker.usual = status(200)
        assert person.run("hooks", "retry", "localhost", dead["delivery"], "--json").json["letters"] == 1
        wait_until(lambda: hooks(person)[0]["delivered"] == 1, "the dead letter")
        assert person.run("hooks", "dead", "--json").json["deliveries"] == []
        refused = person.run("hooks", "add", taker.url, check=False)
        assert (refused.code, "--allow-private" in refused.stderr) == (5, True)
        assert person.run("hooks", "remove", "nobody", check=False).code == 3
        person.run("hooks", "remove", hook["hook_id"][:8])
        assert person.run("hooks", "list", "--json").json == {"hooks": []}
