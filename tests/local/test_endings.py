"""How a process ended is looked at before it is reaped, and told of a stranger's child."""

from __future__ import annotations

import os
import platform
import select
import signal
import subprocess

import pytest

from descartes_local.endings import UNKNOWN, Ending, ending_by_pidfd, peek, reap, signal_name

#: PIDFD_GET_INFO tells an exit from Linux 6.15 on.
TELLS_AFTER_THE_REAP = tuple(int(part) for part in platform.release().split(".")[:2]) >= (6, 15)


def ended(script: str) -> int:
    """Run a script to its end; it stays a zombie."""
    pid = os.posix_spawnp("bash", ["bash", "-c", script], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("exit 0", Ending(0, None)),
        ("exit 7", Ending(7, None)),
        ("exit 255", Ending(255, None)),
        ("kill -KILL $$", Ending(None, "SIGKILL")),
        ("kill -SEGV $$", Ending(None, "SIGSEGV")),
        ("kill -37 $$", Ending(None, "SIG37")),
    ],
)
def test_a_look_reaps_nothing(script: str, how: Ending) -> None:
    """A real-time signal has no name in Python: the look at it once failed, and its agent never ended."""
    pid = ended(script)
    assert peek(pid) == how
    assert peek(pid) == how
    assert reap(pid) == how
    with pytest.raises(ChildProcessError):
        peek(pid)
    assert reap(pid) is None


@pytest.mark.parametrize(
    ("script", "how"),
    [("exit 0", Ending(0, None)), ("exit 7", Ending(7, None)), ("kill -SEGV $$", Ending(None, "SIGSEGV"))],
)
def test_an_ending_is_told_by_its_pidfd_before_and_after_the_reap(script: str, how: Ending) -> None:
    pid = ended(script)
    pidfd = os.pidfd_open(pid)
    assert ending_by_pidfd(pidfd) == how
    reap(pid)
    assert ending_by_pidfd(pidfd) in ((how,) if TELLS_AFTER_THE_REAP else (how, None))
    os.close(pidfd)


def test_a_strangers_child_is_told_too() -> None:
    """A grandchild, whose parent is stopped and has reaped nothing; then somebody else reaps it."""
    script = "exec 3<&0; sh -c 'read word; exit 9' <&3 & echo $!; kill -STOP $$; wait"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        pidfd = os.pidfd_open(int(parent.stdout.readline()))
        os.waitid(os.P_PID, parent.pid, os.WSTOPPED)
        assert ending_by_pidfd(pidfd) is None
        parent.stdin.write("go\n")
        parent.stdin.flush()
        assert select.select([pidfd], [], [], 20)[0]
        assert ending_by_pidfd(pidfd) == Ending(9, None)
        parent.send_signal(signal.SIGCONT)
        parent.wait()
        assert ending_by_pidfd(pidfd) in ((Ending(9, None),) if TELLS_AFTER_THE_REAP else (Ending(9, None), None))
        os.close(pidfd)


def test_what_is_no_pidfd_tells_nothing() -> None:
    with open(os.devnull) as file:
        assert ending_by_pidfd(file.fileno()) is None


def test_who_runs_has_not_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        pidfd = os.pidfd_open(sleeper.pid)
        assert peek(sleeper.pid) is None
        assert reap(sleeper.pid) is None
        assert ending_by_pidfd(pidfd) is None
        os.close(pidfd)
        sleeper.kill()


def test_a_stopped_one_has_not_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        sleeper.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
        assert peek(sleeper.pid) is None
        sleeper.kill()


def test_strangers_are_nobodys_children() -> None:
    with pytest.raises(ChildProcessError):
        peek(1)
    assert reap(1) is None


def test_only_code_zero_is_well() -> None:
    assert Ending(0, None).is_well
    assert not any(one.is_well for one in (Ending(1, None), Ending(None, "SIGTERM"), UNKNOWN))
    assert [str(one) for one in (Ending(3, None), Ending(None, "SIGTERM"), UNKNOWN)] == [
        "exit code 3",
        "signal SIGTERM",
        "exit status unknown",
    ]


def test_every_signal_has_a_name() -> None:
    assert [signal_name(number) for number in (9, 37)] == ["SIGKILL", "SIG37"]
