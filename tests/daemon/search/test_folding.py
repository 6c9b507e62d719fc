from __future__ import annotations

import pytest

from descartes_daemon.search.folding import Folding
from descartes_daemon.search.strip import cleaned, cut

CUTS = [64, 500, 4096]


def told(output: bytes, most: int = 4096, *, stored_each_time: bool = False) -> list[str]:
    """Fold it block by block, as the indexer does."""
    folding, at, lines = Folding(), 0, []
    while at < len(output):
        end = at + cut(output[at : at + most + 4], most, at_end=at + most >= len(output))
        text = folding.fold(cleaned(output[at:end])).decode()
        lines += text.split("\n") if text else []
        if stored_each_time:
            folding = Folding(folding.stored())
        at = end
    return lines


@pytest.mark.parametrize("most", CUTS)
@pytest.mark.parametrize("stored", [False, True])
def test_a_progress_bar_redrawn_ten_thousand_times_is_told_once(most: int, stored: bool) -> None:
    bar = b"".join(b"\rDownloading [%-20s] %d of 10000" % (b"#" * (i // 500), i) for i in range(10_000))
    lines = told(b"before\n" + bar + b"\nafter\n", most, stored_each_time=stored)
    assert sum("Downloading" in line for line in lines) == 1
    assert lines[0] == "before"
    assert lines[-1] == "after"


@pytest.mark.parametrize("most", CUTS)
@pytest.mark.parametrize("stored", [False, True])
def test_lines_redrawn_by_moving_up_are_told_once(most: int, stored: bool) -> None:
    bar = b"".join(b"\x1b[2A\x1b[2Kpulling %d MB\r\n\x1b[2Kextracting %d%%\r\n" % (i, i % 100) for i in range(10_000))
    lines = told(b"pulling 0 MB\r\nextracting 0%\r\n" + bar + b"pulled 7 layers\r\n", most, stored_each_time=stored)
    assert sum("pulling" in line for line in lines) == 1
    assert sum("extracting" in line for line in lines) == 1
    assert lines[-1] == "pulled 7 layers"


def test_a_screen_painted_again_and_again_tells_what_is_new() -> None:
    def paint(answer: str) -> bytes:
        rows = ["Agent v1.0", "> mend the test", answer, "esc to interrupt"]
        return b"\x1b[H\x1b[2J" + b"".join(b"\x1b[%d;1H%s" % (n + 1, row.encode()) for n, row in enumerate(rows))

    output = b"".join(paint(f"thinking ⠋ {n} s") for n in range(500)) + paint("The test was wrong.") * 3
    lines = told(output)
    assert sorted(lines) == sorted(
        ["Agent v1.0", "> mend the test", "thinking ⠋ 0 s", "esc to interrupt", "The test was wrong."]
    )


def test_a_frame_written_below_a_move_to_the_top_is_told_once() -> None:
    frame = b"\x1b[H" + b"".join(b"line %d of the screen\r\n" % n for n in range(30))
    assert len(told(frame * 200)) == 30


def test_lines_that_differ_in_a_digit_only_are_all_told() -> None:
    lines = told(b"".join(b"test %d passed\n" % n for n in range(1000)))
    assert len(lines) == 1000


def test_a_line_again_and_again_is_told_once_in_a_row() -> None:
    assert told(b"waiting\n" * 500 + b"ready\n" + b"waiting\n", 64) == ["waiting", "ready", "waiting"]


def test_what_grows_while_it_is_drawn_again_is_told_when_it_stands() -> None:
    words = b"the answer is that nothing was wrong".split()
    output = b"".join(b"\r" + b" ".join(words[:n]) for n in range(1, len(words) + 1))
    assert told(output + b"\n") == ["the answer is that nothing was wrong"]


def test_bars_and_clocks_without_letters_are_nothing() -> None:
    assert told(b"".join(b"\r[%-9s]" % (b"=" * (n % 10)) for n in range(100))) == []


def test_other_languages_have_letters_too() -> None:
    assert told("\r処理中 1\r処理中 2\r完了\n".encode()) == ["処理中 1", "完了"]
