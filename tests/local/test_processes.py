from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from descartes_local.processes import (
    Children,
    Process,
    boot_id,
    children_of_self,
    command_of,
    environ_of,
    every_stat,
    has_mark,
    is_alive,
    process_of,
    send_signal,
    stat_of,
    wait_for_end,
)
from tests.support.programs import agent

#: No kernel gives such a pid.
NOBODY = 2**22 + 1


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """Give a program that says nothing and ends by a signal only."""
    with subprocess.Popen(agent("silent"), env={"DESCARTES_AGENT_ID": "a1"}) as program:
        try:
            yield program
        finally:
            program.kill()


def process(child: subprocess.Popen[bytes]) -> Process:
    found = process_of(child.pid)
    assert found is not None
    return found


def test_a_process_is_a_pid_at_a_time(child: subprocess.Popen[bytes]) -> None:
    found = stat_of(child.pid)
    assert found is not None
    assert found.process == process(child)
    assert found.parent == os.getpid()
    assert not found.is_dead


def test_a_name_with_spaces_and_parentheses_misleads_nobody() -> None:
    code = "open('/proc/self/comm', 'w').write('a) R 1 (b'); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as program:
        found = stat_of(program.pid)
        assert found is not None
        assert found.parent == os.getpid()


def test_nobody_is_nowhere() -> None:
    nobody = Process(NOBODY, 1)
    assert stat_of(NOBODY) is None
    assert process_of(NOBODY) is None
    assert not is_alive(nobody)
    assert not send_signal(nobody, signal.SIGTERM)
    assert wait_for_end(nobody, 0.0)
    assert environ_of(NOBODY) == b""
    assert command_of(NOBODY) == ""


def test_an_innocent_process_with_the_same_pid_is_never_signalled(child: subprocess.Popen[bytes]) -> None:
    born_earlier = Process(child.pid, process(child).started - 1)
    assert not is_alive(born_earlier)
    assert not send_signal(born_earlier, signal.SIGKILL)
    assert wait_for_end(born_earlier, 0.0)
    assert child.poll() is None


def test_a_signal_reaches_the_very_process(child: subprocess.Popen[bytes]) -> None:
    assert send_signal(process(child), signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def test_a_zombie_is_dead_and_still_has_its_pid(child: subprocess.Popen[bytes]) -> None:
    living = process(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_of(child.pid) == living
    assert not is_alive(living)
    assert wait_for_end(living, 0.0)


def test_an_end_is_waited_for(child: subprocess.Popen[bytes]) -> None:
    living = process(child)
    assert not wait_for_end(living, 0.0)
    child.kill()
    assert wait_for_end(living, 10.0)


def test_environment_and_command_are_what_it_began_with(child: subprocess.Popen[bytes]) -> None:
    environ = environ_of(child.pid)
    assert has_mark(environ, "DESCARTES_AGENT_ID", "a1")
    assert not has_mark(environ, "DESCARTES_AGENT_ID", "a")
    assert "silent.py" in command_of(child.pid)


def test_a_process_without_command_line_has_its_short_name(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert command_of(child.pid).startswith("[")


def test_children_and_all_are_listed(child: subprocess.Popen[bytes]) -> None:
    assert child.pid in children_of_self()
    assert {child.pid, os.getpid()} <= {found.process.pid for found in every_stat()}


def test_children_are_looked_up_anew_each_time(child: subprocess.Popen[bytes]) -> None:
    children = Children()
    assert child.pid in children.pids()
    with subprocess.Popen(["sleep", "600"]) as later:
        assert {child.pid, later.pid} <= set(children.pids())
        later.kill()
    assert later.pid not in children.pids()
    children.close()
    assert children.pids() == []


def test_a_boot_has_an_id() -> None:
    assert boot_id() == boot_id() != "unknown"
