from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from descartes_cli import player
from descartes_cli.player import Begun, Player
from descartes_cli.rawmode import ending_in_order
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.pace import Pace


def test_a_pause_of_years_is_waited_for_until_somebody_has_seen_enough(tmp_path: Path) -> None:
    """No call of the system's waits for more than some weeks."""
    moments = [Moment(0.0, "out", b"a"), Moment(1e9, "out", b"b")]
    keyboard, fingers = os.pipe()
    display = os.open(tmp_path / "shown", os.O_WRONLY | os.O_CREAT)
    presses = threading.Thread(target=_press, args=(tmp_path / "shown", fingers))
    presses.start()
    try:
        assert not Player(lambda _at: Begun("", iter(moments)), Pace(0.01), display, keyboard).play(0.0, 0.0, None)
    finally:
        presses.join()
        for descriptor in (keyboard, fingers, display):
            os.close(descriptor)
    assert (tmp_path / "shown").read_bytes() == b"a\x1b[0m"


def _press(shown: Path, fingers: int) -> None:
    while not shown.stat().st_size:
        pass
    os.write(fingers, b"q")


def test_a_long_pause_is_waited_for_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "_LONGEST_WAIT", 0.001)
    display = os.open(tmp_path / "shown", os.O_WRONLY | os.O_CREAT)
    moments = [Moment(0.0, "out", b"a"), Moment(0.02, "out", b"b")]
    assert Player(lambda _at: Begun("", iter(moments)), Pace(), display, None).play(0.0, 0.0, None)
    os.close(display)
    assert (tmp_path / "shown").read_bytes() == b"ab\x1b[0m"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_ended_gives_the_terminal_back_also_without_a_keyboard(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    display = os.open(tmp_path / "shown", os.O_WRONLY | os.O_CREAT)
    moments = [Moment(0.0, "out", b"\x1b[?1049h"), Moment(3600.0, "out", b"b")]
    presses = threading.Thread(target=_end, args=(tmp_path / "shown", number))
    presses.start()
    with pytest.raises(SystemExit, match=str(128 + number)), ending_in_order():
        Player(lambda _at: Begun("", iter(moments)), Pace(), display, None).play(0.0, 0.0, None)
    presses.join()
    os.close(display)
    assert (tmp_path / "shown").read_bytes() == b"\x1b[?1049h\x1b[?1049l\x1b[0m"
    assert signal.getsignal(number) is before


def _end(shown: Path, number: signal.Signals) -> None:
    while not shown.stat().st_size:
        pass
    os.kill(os.getpid(), number)
