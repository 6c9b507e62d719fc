"""What a daemon gave into keeping is the next one's; nobody else gives, and endings are told before they are reaped."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from descartes_core.errors import Forbidden
from descartes_local import cgroup2
from descartes_local.cgroup2 import Cgroup
from descartes_local.processes import Process, is_alive, process_of, send_signal, stat_of
from tests.orchestrator.supervised import Speaking, Supervised
from tests.support.cgroups import needs_cgroups
from tests.support.waiting import process_gone, wait_until

WAIT = "import sys; sys.stdin.read()"
#: Leaves its group and its session, and forks twice.
LEAVE_BEHIND = """
import os, sys, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.pause()
    os._exit(0)
sys.stdin.read()
"""
AGENT = "7f0c2d1e-0000-4000-8000-000000000000"

#: Ends its first thread and goes on in another.
LEADERLESS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[__import__("os").uname().machine], 0)
"""


def spawn(shop: Speaking, code: str = WAIT, agent: str = AGENT) -> Process:
    pid, started = shop.say("spawn", agent, "-c", f"exec({code!r})").split()  # a line, as the speaker takes it
    return Process(int(pid), int(started))


def test_a_kept_descriptor_is_the_next_daemons_by_name(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "from the dead")
    shop.kill()
    assert shop.say("names") == "http:ws:rpc:letter:letter-end"
    assert shop.say("recall", "letter") == "from the dead"


def test_what_is_forgotten_is_not_handed_on(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "x")
    shop.say("forget", "letter", "letter-end", "never-kept")
    shop.kill()
    assert shop.say("names") == "http:ws:rpc"


def test_a_second_one_by_the_same_name_takes_its_place(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "old")
    shop.say("keep", "letter", "new")
    shop.kill()
    assert shop.say("recall", "letter") == "new"


def test_a_name_that_cannot_be_passed_on_is_refused_and_that_is_told(supervised: Supervised) -> None:
    shop = supervised.session()
    assert shop.say("keep", "a:b", "x") == "not kept: 'a:b' cannot be handed on as a name"
    assert "a:b" in supervised.entry(shop.id)["trouble"]
    assert shop.say("keep", "ab", "x") == "kept"
    assert supervised.entry(shop.id)["trouble"] is None
    shop.kill()
    assert shop.say("names") == "http:ws:rpc:ab:ab-end"


def test_thousands_are_handed_on(supervised: Supervised) -> None:
    """All names in one variable are more than the kernel takes: the next daemon could not be started."""
    shop = supervised.session()
    assert shop.say("keep_many", 1200) == "kept"
    shop.kill()
    assert shop.say("count") == "1203"


def test_what_a_stranger_says_is_not_heard(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("stranger", "STOPPING=1")
    shop.kill()
    assert shop.say("names") == "http:ws:rpc"
    assert supervised.entry(shop.id)["restarts"] == 1


def test_an_agent_outlives_its_daemon_and_is_the_supervisors_child(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    shop.kill()
    shop.say("pid")
    found = stat_of(agent.pid)
    assert found is not None
    assert found.parent == supervised.call("ping")["pid"]
    assert supervised.call("orphans", {"session_id": shop.id}) == {"processes": []}


def test_an_ending_is_told_until_it_is_committed(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop, "import sys; sys.stdin.read(); sys.exit(7)")
    asked = {"pid": agent.pid, "started": agent.started}
    assert supervised.call("exit_status", asked)["ended"] is False
    shop.kill()
    shop.say("forget", f"agent-{AGENT}-in")  # the supervisor's copy, then the daemon's: the agent reads the end
    shop.kill()
    process_gone(agent.pid)
    for _ in range(2):
        told = supervised.call("exit_status", asked)
        assert told == {"ended": True, "known": True, "exit_code": 7, "signal": None}
    with pytest.raises(Forbidden):
        supervised.call("committed", asked)
    assert supervised.call("exit_status", asked) == told
    assert '"result":{}' in shop.say("commit", agent.pid, agent.started).replace(" ", "")
    told = supervised.call("exit_status", asked)
    assert told == {"ended": True, "known": False, "exit_code": None, "signal": None}
    assert process_of(agent.pid) is None


def test_an_agent_whose_first_thread_has_ended_lives(supervised: Supervised) -> None:
    """Its stat says Z as long as another thread runs: it was told as ended, and looked at again without end."""
    shop = supervised.session()
    agent = spawn(shop, LEADERLESS)
    shop.kill()
    shop.say("pid")
    wait_until(lambda: (found := stat_of(agent.pid)) is None or found.is_dead, "its first thread has ended")
    asked = {"pid": agent.pid, "started": agent.started}
    assert supervised.call("exit_status", asked)["ended"] is False
    shop.say("forget", f"agent-{AGENT}-pid")
    shop.kill()
    assert shop.say("names") == f"http:ws:rpc:agent-{AGENT}-in"


def test_a_signal_is_told_by_its_name(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    shop.kill()
    shop.say("pid")
    send_signal(agent, signal.SIGUSR1)
    process_gone(agent.pid)
    assert supervised.call("exit_status", {"pid": agent.pid, "started": agent.started})["signal"] == "SIGUSR1"


def test_a_pid_is_not_believed_without_its_start_time(supervised: Supervised) -> None:
    told = supervised.call("exit_status", {"pid": os.getpid(), "started": 1})
    assert (told["ended"], told["known"]) == (True, False)
    assert supervised.call("committed", {"pid": os.getpid(), "started": 1}) == {}


def test_an_ended_agent_that_nobody_asks_for_any_more_is_reaped(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    shop.kill()
    shop.say("pid")
    send_signal(agent, signal.SIGKILL)
    process_gone(agent.pid)
    shop.say("forget", f"agent-{AGENT}-pid")
    wait_until(lambda: process_of(agent.pid) is None, "it is reaped")


def test_what_an_agent_left_is_shown_and_ends_with_its_session(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop, LEAVE_BEHIND)
    shop.kill()
    shop.say("pid")
    asked = {"session_id": shop.id}
    left = wait_until(lambda: supervised.call("orphans", asked)["processes"], "what was left comes to the supervisor")
    orphan = Process(left[0]["pid"], left[0]["started"])
    assert "signal.pause" in left[0]["command"]
    shop.stop()
    assert not is_alive(orphan)
    assert not is_alive(agent)


@needs_cgroups
def test_stopping_a_session_kills_who_is_only_in_its_control_group(supervised: Supervised) -> None:
    """It has no parent of ours, no session and no mark any more."""
    shop = supervised.session()
    own = cgroup2.own()
    assert own is not None
    group = Cgroup(cgroup2.base_of(own).path / shop.id / AGENT)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        group.make()
        group.take_in(stranger.pid)
        shop.stop()
        assert stranger.wait(10) == -signal.SIGKILL
    assert group.remove()
    group.path.parent.rmdir()


def test_stopping_a_session_kills_its_agents(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop, LEAVE_BEHIND)
    shop.stop()
    assert process_of(agent.pid) is None


def test_agents_stay_when_their_daemon_is_asked_to_end(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    shop.say("leave", "STATUS=agents kept", "STOPPING=1")
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Inactive", "the daemon has ended")
    assert supervised.call("status")["kept"] == 1
    assert is_alive(agent)
    shop.start()
    assert shop.say("names") == f"http:ws:rpc:agent-{AGENT}-pid:agent-{AGENT}-in"


def test_stopping_an_inactive_session_ends_the_agents_it_kept(supervised: Supervised) -> None:
    shop = supervised.session()
    agent = spawn(shop)
    shop.say("leave", "STOPPING=1")
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Inactive", "the daemon has ended")
    shop.stop()
    assert not is_alive(agent)
    assert supervised.entry(shop.id) == {}


def test_the_agents_of_a_session_that_was_given_up_live_on(supervised: Supervised) -> None:
    supervised.configure(stable=3600.0, early_deaths=1)
    shop = supervised.session()
    agent = spawn(shop)
    shop.kill()
    wait_until(lambda: supervised.entry(shop.id)["status"] == "Error", "it is given up")
    assert is_alive(agent)
    assert shop.start()["pid"] == int(shop.say("pid"))
    assert f"agent-{AGENT}-pid" in shop.say("names")


@pytest.mark.parametrize("name", ["master", "nonsense"])
def test_a_pidfd_that_is_none_keeps_nobody_unreaped(supervised: Supervised, name: str) -> None:
    shop = supervised.session()
    shop.say("keep", f"agent-{AGENT}-{name}", "x")
    assert Path(shop.where["socket"]).is_socket()
    shop.stop()
