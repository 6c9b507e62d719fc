"""A worktree is thrown away while agents run in it."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from descartes_local.run_file import read_run_files
from tests.support.person import Person
from tests.support.waiting import process_gone, wait_until

pytestmark = pytest.mark.supervisor("shared")


def test_agents_outlive_their_workspace_and_then_their_daemon(person: Person) -> None:
    """The next daemon refused to serve a directory that was gone, was given up, and nobody reached the agents."""
    shop = person.workspace("shop")
    agent = person.spawn(shop, ["sh", "-c", "cd /; read line; echo got $line; sleep 600"])
    shutil.rmtree(shop)
    killed = read_run_files(person.home)[0].pid
    os.kill(killed, signal.SIGKILL)
    process_gone(killed)
    person.run("send", agent["id"], "bread", "--enter")
    wait_until(lambda: "got bread" in person.run("logs", agent["id"]).stdout, "it is reached")
    assert not shop.exists()
    assert person.run("sessions", "show", "shop", "--json").json["notes"] != []
    stopped = person.run("sessions", "stop", "shop", "--force", "--json").json
    assert stopped["ended"] == [agent["id"]]
