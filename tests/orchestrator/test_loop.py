"""The loop calls back in time, and no fault ends it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from descartes_orchestrator.supervisor.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Give a loop whose signals are put back."""
    before = signal.getsignal(signal.SIGUSR1)
    made = Loop()
    yield made
    made.close()
    signal.signal(signal.SIGUSR1, before)


def nothing() -> None:
    """After a round, do nothing."""


def test_timers_are_called_in_order_and_cancelled_ones_never(loop: Loop) -> None:
    called: list[str] = []
    loop.later(0.02, loop.stop)
    loop.later(0.01, lambda: called.append("second"))
    loop.later(0.0, lambda: called.append("first"))
    loop.later(0.005, lambda: called.append("never")).cancel()
    loop.run(nothing)
    assert called == ["first", "second"]


def test_a_readable_descriptor_is_told_until_it_is_unwatched(loop: Loop) -> None:
    reading, writing = os.pipe()
    told = []

    def ready() -> None:
        told.append(os.read(reading, 1))
        if len(told) == 2:
            loop.unwatch(reading)
            loop.stop()

    loop.watch(reading, ready)
    os.write(writing, b"abc")
    loop.run(nothing)
    os.close(reading)
    os.close(writing)
    assert told == [b"a", b"b"]


def test_one_callback_can_end_the_watch_of_another(loop: Loop) -> None:
    pipes = [os.pipe(), os.pipe()]
    told = []

    def ready() -> None:
        told.append("once")
        for reading, _ in pipes:
            loop.unwatch(reading)
        loop.stop()

    for reading, writing in pipes:
        loop.watch(reading, ready)
        os.write(writing, b"x")
    loop.run(nothing)
    for descriptor in [end for pipe in pipes for end in pipe]:
        os.close(descriptor)
    assert told == ["once"]


def test_a_signal_is_called_back_in_the_loop(loop: Loop) -> None:
    loop.on_signal(signal.SIGUSR1, loop.stop)
    loop.later(0.0, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    loop.run(nothing)


def test_a_fault_is_written_down_and_the_loop_goes_on(loop: Loop, capfd: pytest.CaptureFixture[str]) -> None:
    loop.later(0.0, lambda: [][0])
    loop.later(0.01, loop.stop)
    loop.run(nothing)
    assert "IndexError" in capfd.readouterr().err
