"""How a child ended is looked at before it is reaped."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from descartes_local.endings import UNKNOWN, Ending, peek, reap, signal_name


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


def test_who_runs_has_not_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        assert peek(sleeper.pid) is None
        assert reap(sleeper.pid) is None
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
