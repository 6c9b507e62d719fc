"""The emulator is a terminal, forgets nothing that is painted again, and survives whatever is written to it."""

from __future__ import annotations

import importlib.util
import re
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_daemon.emulator import Emulator, Emulators, load
from descartes_daemon.ghostty_library import NUMBERS, STRUCTURES, Rgb, is_as_declared, layout
from tests.support.asked import questions_of

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pyghostty") is None, reason="pyghostty has no wheel here")

ROWS, COLS = 8, 20

#: What programs do to a terminal, and what they should not.
PIECES = st.sampled_from(
    [
        b"words ",
        b"a line\r\n",
        b"\n",
        b"\r",
        b"\t",
        b"\b",
        b"x" * COLS,
        "größe 🦊 漢字 e\u0301".encode(),
        b"\x1b[31;1m",
        b"\x1b[48;5;4m",
        b"\x1b[48;2;1;2;3m\x1b[K",
        b"\x1b[44m\x1b[2J",
        b"\x1b[0m",
        b"\x1b[H",
        b"\x1b[5;18H",
        b"\x1b[8;20H",
        b"\x1b[3;6r",
        b"\x1b[r",
        b"\x1b[?69h\x1b[4;12s",
        b"\x1b[?6h",
        b"\x1b[?7l",
        b"\x1b[4h",
        b"\x1b[J",
        b"\x1b[2L\x1b[M\x1b[3@\x1b[2P\x1b[4X",
        b"\x1b[S\x1b[T",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[?1047h",
        b"\x1b[?47l",
        b"\x1b7",
        b"\x1b8",
        b"\x1b[?1h\x1b=",
        b"\x1b[?1000;1006;2004h",
        b"\x1b[?25l",
        b"\x1b[>1u",
        b"\x1b[<u",
        b"\x1b(0lqk",
        b"\x1b(B",
        b"\x0e",
        b"\x1b]2;a title \xc2\x9b6n\x07",
        b"\x1b]8;;http://example.org/\xc2\x9c\x07link\x1b]8;;\x07",
        b"\x1b]8;;http://open/\x07",
        b"\x1b[6n\x1b[c\x1b[>0q\x1b]11;?\x07\x1b]52;c;?\x07\x1bP+q544e\x1b\\\x05",
        b"\x1b_Ga=T,f=24,s=1,v=1;AAAA\x1b\\",
        b"\x1bPq#0~~\x1b\\",
        b"\x1b[99999999b",
        b"\x1bc",
        b"\x7f",
        b"\x1b",
        b"\x1b[",
        b"\x1b]2;never ended",
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=8), max_size=40).map(b"".join)


@pytest.fixture(scope="module")
def emulators() -> Emulators:
    found = load()
    assert found is not None
    return found


def fed(emulators: Emulators, output: bytes, rows: int = ROWS, cols: int = COLS) -> Emulator:
    emulator = emulators.make(rows, cols)
    emulator.feed(output)
    return emulator


def seen(emulator: Emulator) -> dict[str, Any]:
    """Return all that is to be the same after a screen was painted."""
    return {
        "text": emulator.text(),
        "cursor": emulator.cursor,
        "visible": emulator.cursor_visible,
        "alternate": emulator.alternate,
        "modes": {mode for mode in (1, 6, 7, 66, 69, 1000, 1006, 2004) if emulator.mode(mode)},
    }


def test_it_is_a_terminal(emulators: Emulators) -> None:
    with closing(fed(emulators, b"one\r\ntwo\x1b[1;2Hx\x1b]2;hello\x07\x1b[?2004h")) as emulator:
        assert (emulator.text(), emulator.cursor, emulator.title) == ("oxe\ntwo", (0, 2), "hello")
        assert (emulator.alternate, emulator.cursor_visible, emulator.mode(2004)) == (False, True, True)
        emulator.feed(b"\x1b[?1049h\x1b[?25linside")
        assert (emulator.text(), emulator.alternate, emulator.cursor_visible) == ("  inside", True, False)
        emulator.feed(b"\x1b[?1049l")
        assert (emulator.text(), emulator.alternate) == ("oxe\ntwo", False)


def test_it_takes_another_size(emulators: Emulators) -> None:
    with closing(fed(emulators, b"a long line of letters, wider than it is")) as emulator:
        emulator.resize(4, 40)
        assert emulator.size == (4, 40)
        assert emulator.text() == "a long line of letters, wider than it is"


@settings(deadline=None)
@given(output=STREAMS, cut=st.integers(0, 400))
def test_it_is_the_same_however_output_is_cut(emulators: Emulators, output: bytes, cut: int) -> None:
    with closing(fed(emulators, output)) as whole, closing(fed(emulators, output[:cut])) as pieces:
        pieces.feed(output[cut:])
        assert seen(whole) == seen(pieces)


@settings(deadline=None)
@given(output=STREAMS)
def test_what_is_painted_is_what_is_shown(emulators: Emulators, output: bytes) -> None:
    with closing(fed(emulators, output)) as first, closing(emulators.make(ROWS, COLS)) as second:
        second.feed(first.snapshot().encode())
        assert seen(second) == seen(first)
        assert first.pending() or cells(second) == cells(first)


def cells(emulator: Emulator) -> str:
    """Return what paints it, colours and all; that a charset is the usual one may be said or not."""
    return re.sub(r"\x1b[()*+]B", "", emulator.snapshot())


@settings(deadline=None)
@given(before=STREAMS, inside=STREAMS)
def test_what_lies_under_a_full_screen_program_is_there_when_it_ends(
    emulators: Emulators, before: bytes, inside: bytes
) -> None:
    output = before + b"\x18\x1bc\x1b[2;1H$ vim\x1b[?1049h" + inside.replace(b"\x1bc", b"").replace(b"l", b"")
    with closing(fed(emulators, output)) as first, closing(emulators.make(ROWS, COLS)) as second:
        second.feed(first.snapshot().encode())
        for emulator in (first, second):
            emulator.feed(b"\x18\x1b[?6l\x1b[?1049l")
        assert second.text() == first.text()


@settings(deadline=None)
@given(output=STREAMS)
def test_a_painted_screen_asks_nothing(emulators: Emulators, output: bytes) -> None:
    with closing(fed(emulators, output)) as first:
        assert questions_of(first.snapshot()) == []


@settings(deadline=None)
@given(output=STREAMS, rest=STREAMS)
def test_a_saved_terminal_goes_on_as_if_nothing_had_been(emulators: Emulators, output: bytes, rest: bytes) -> None:
    with closing(fed(emulators, output)) as first:
        saved = first.save()
        assert saved is not None
        second = emulators.restore(saved)
        assert second is not None
        with closing(second):
            for emulator in (first, second):
                emulator.feed(rest)
            assert seen(second) == seen(first)
            assert second.title == first.title


@pytest.mark.parametrize("cut", [b"\x1b", b"\x1b[3", b"\x1b]2;ti", b"\x1bP1", "🦊".encode()[:2]])
def test_what_is_cut_is_known(emulators: Emulators, cut: bytes) -> None:
    with closing(fed(emulators, b"text" + cut)) as emulator:
        assert (emulator.pending(), emulator.text()) == (cut, "text")
        emulator.feed(b"\x18 more")
        assert emulator.pending() == b""


def test_what_is_cut_and_too_long_is_not_kept(emulators: Emulators) -> None:
    with closing(fed(emulators, b"text\x1b]2;" + b"x" * 100_000)) as emulator:
        assert (emulator.pending(), emulator.save(), emulator.text()) == (b"", None, "text")


@settings(deadline=None)
@given(data=st.data())
def test_what_was_not_saved_is_not_restored(emulators: Emulators, data: st.DataObject) -> None:
    with closing(fed(emulators, b"some \x1b[31mtext")) as emulator:
        saved = bytearray(emulator.save() or b"")
    saved[data.draw(st.integers(0, len(saved) - 1))] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(saved), bytes(saved[: data.draw(st.integers(0, len(saved) - 1))])):
        if (restored := emulators.restore(damaged)) is not None:
            restored.close()


@pytest.mark.parametrize(
    "output",
    [
        b"\x1b]2;" + b"a" * 3_000_000,
        b"\x1b_G" + b"a" * 3_000_000 + b"\x1b\\",
        b"\x1bPq" + b"~" * 3_000_000 + b"\x1b\\",
        b"\x1b[" + b"1;" * 500_000 + b"m",
        b"x\x1b[4294967295b\x1b[4294967295L\x1b[4294967295;4294967295H\x1b[4294967295@",
        b"e" + "\u0301".encode() * 500_000,
        b"".join(b"\x1b]8;;http://a/%d\x07x" % number for number in range(50_000)),
        b"".join(b"\x1b[38;2;%d;%d;%dmx" % (number % 256, number // 256 % 256, 9) for number in range(50_000)),
        b"\x1b_Ga=T,f=24,s=100,v=100,m=1;AAAA\x1b\\" + (b"\x1b_Gm=1;" + b"A" * 4000 + b"\x1b\\") * 500,
        b"\x1b[>1u" * 100_000,
        b"\x1b[?1049h\x1b[?1049l" * 50_000,
    ],
    ids=lambda output: repr(output[:12]),
)
def test_hostile_output_costs_little_and_harms_nothing(emulators: Emulators, output: bytes) -> None:
    before = resident()
    with closing(fed(emulators, output, 50, 200)) as emulator:
        emulator.snapshot()
        emulator.text()
        emulator.save()
        emulator.feed(b"\x18\x1bcstill here")
        assert emulator.text() == "still here"
    assert resident() - before < 16


def resident() -> float:
    """Return what this process holds in memory, in MB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (2, 2)])
def test_any_size_has_a_screen(emulators: Emulators, size: tuple[int, int]) -> None:
    with closing(fed(emulators, "漢字 and 🦊\r\n".encode() * 5, *size)) as emulator:
        emulator.resize(*reversed(size))
        emulator.snapshot()
        emulator.text()


def test_a_terminal_is_closed_once(emulators: Emulators) -> None:
    emulator = emulators.make(2, 2)
    emulator.close()
    emulator.close()


def test_a_library_that_is_none_is_no_emulator(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libghostty-vt.so").write_bytes(b"no library")
    for found in (lambda: tmp_path / "libghostty-vt.so", lambda: None):
        monkeypatch.setattr("descartes_daemon.emulator.find_library", found)
        assert load() is None


def test_a_library_with_other_types_is_no_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would write into memory that is not its own."""
    for known, name, other in (
        (STRUCTURES, "GhosttyString", Rgb),
        (STRUCTURES, "GhosttyUnheardOf", Rgb),
        (NUMBERS, "TERMINAL_DATA_TITLE", 13),
        (NUMBERS, "TERMINAL_DATA_UNHEARD_OF", 1),
    ):
        with monkeypatch.context() as patched:
            patched.setitem(known, name, other)
            assert load() is None, name


@pytest.mark.parametrize("told", [None, b"", b"[]", b"{}", b'{"types": 1}', b'{"types": {"a": {}}}', b"\xff"])
def test_a_library_that_tells_nothing_of_its_types_is_none(told: bytes | None) -> None:
    assert not is_as_declared(told)


def test_the_declarations_are_those_of_the_header() -> None:
    from pyghostty._ffi import ffi, lib

    for name, declared in STRUCTURES.items():
        offsets = {field: value.offset for field, value in ffi.typeof(name).fields}
        assert layout(declared) == (ffi.sizeof(name), offsets), name
    assert {name: getattr(lib, f"GHOSTTY_{name}") for name in NUMBERS} == NUMBERS
