"""Two at one agent's terminal: who types, who watches, and how that is told and changed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.cli.terminals import Attached, Peer
from tests.cli.test_screen import ASKED, NOBODYS, OURS, SCREEN, TAKE, THEIRS, attach

__all__ = ["attach"]

EXACT = {**SCREEN, "vt": "\x1b[H\x1b[2J$ make\r\n", "exact": True}
CTRL_T = b"\x14"


def watching(person: Attached) -> Peer:
    """Let somebody else have the pen."""
    daemon = person.accept().agree(EXACT, THEIRS)
    person.see(b"[fixer: ada@pts/7 (pid 7) types; Ctrl-T takes the pen, Ctrl-] lets go]")
    return daemon


def test_what_the_shell_showed_is_kept_and_the_line_goes_again(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(EXACT, OURS)
    person.see(b"\r\n" * 24 + b"\x1b[H\x1b[2J$ make\r\n")
    person.see(b"\x1b[24;1H[fixer: Ctrl-] lets go, the agent goes on]")
    person.see(b"\x1b8")
    assert daemon.frame() == ASKED
    daemon.send({**EXACT, "vt": "again"})
    person.see(b"again")
    assert b"\x1b]2;" not in person.written


def test_who_comes_second_watches_and_is_reminded(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = watching(person)
    person.see(b"\x1b[22;2t\x1b]2;fixer: ada@pts/7 (pid 7) types; Ctrl-T takes the pen\x1b\\")
    assert daemon.frame() == ASKED
    person.type(b"hello")
    person.see(b"\x07")
    person.see(b"[ada@pts/7 (pid 7) types; Ctrl-T takes the pen]")
    assert daemon.frame() == ASKED  # and nothing was typed


@pytest.mark.parametrize("key", [CTRL_T, b"\x1b[116;5u"])
def test_a_key_takes_the_pen_and_what_follows_is_typed(attach: Callable[..., Attached], key: bytes) -> None:
    person = attach()
    daemon = watching(person)
    person.type(b"lost" + key + b"mine")
    assert daemon.frame() == TAKE
    assert daemon.frame() == b"mine"
    daemon.send(THEIRS, OURS)  # the first is of before
    person.see(b"[fixer: you type]")
    person.type(CTRL_T)
    while (frame := daemon.frame()) == ASKED:
        pass
    assert frame == CTRL_T  # now it is the agent's


def test_what_the_terminal_says_by_itself_rings_no_bell(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = watching(person)
    assert daemon.frame() == ASKED
    before = len(person.written)
    person.type(b"\x1b[<35;10;10M")
    person.type(b"\x1b[I")
    person.type(CTRL_T)
    assert daemon.frame() == TAKE
    assert b"\x07" not in person.written[before:]


def test_losing_the_pen_is_told_and_so_is_that_nobody_has_it(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(EXACT, OURS)
    person.see(b"lets go, the agent goes on]")
    daemon.send(THEIRS)
    person.see(b"[fixer: ada@pts/7 (pid 7) types; Ctrl-T takes the pen]")
    daemon.send(NOBODYS)
    person.see(b"[fixer: nobody types: type, and you do]")
    person.type(b"k")
    while (frame := daemon.frame()) == ASKED:
        pass
    assert frame == b"k"
    person.type(b"\x1d")
    assert person.end() == 0
    assert b"\x1b[23;2t" in person.written


def test_who_is_asked_to_takes_the_pen_at_once(attach: Callable[..., Attached]) -> None:
    person = attach("take")
    daemon = person.accept().agree(EXACT, THEIRS)
    assert daemon.frame() == TAKE
    daemon.send(OURS)
    person.see(b"lets go, the agent goes on]")
    person.type(b"x")
    while (frame := daemon.frame()) == ASKED:
        pass
    assert frame == b"x"


def test_the_pen_is_taken_back_after_the_daemons_death_and_by_nobody_else(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN, OURS)
    person.see(b"$ make")
    person.type(b"a")
    assert daemon.frame() == b"a"
    daemon.connection.close()
    again = person.accept().agree({"type": "offset", "offset": 1000}, THEIRS)
    assert again.frame() == TAKE
    assert again.frame() == b"a"
    again.send(OURS, {"type": "took", "bytes": 1}, THEIRS, b"lost")
    person.see(b"lost")
    again.connection.close()
    once_more = person.accept().agree({"type": "offset", "offset": 1004}, NOBODYS, b"free")
    person.see(b"free")  # until it has heard whose the pen is, what is typed goes to nobody
    person.type(b"b")
    assert once_more.frame() == b"b"


def test_a_refused_key_is_told_and_not_typed_again(attach: Callable[..., Attached]) -> None:
    """Somebody took the pen while a key was on its way."""
    person = attach()
    daemon = person.accept().agree(EXACT, OURS)
    person.see(b"lets go, the agent goes on]")
    person.type(b"k")
    while daemon.frame() == ASKED:
        pass
    daemon.send(THEIRS, {"type": "took", "bytes": 1}, {"type": "error", "code": "refused", "message": "ada types"})
    person.see(b"[ada@pts/7 (pid 7) types; Ctrl-T takes the pen]")


def test_who_only_watches_is_told_so(attach: Callable[..., Attached]) -> None:
    person = attach("read_only")
    daemon = person.accept().agree(EXACT, THEIRS)
    person.see(b"[fixer: you only watch, ada@pts/7 (pid 7) types; Ctrl-] lets go]")
    person.type(CTRL_T)
    person.see(b"[you only watch; Ctrl-] lets go]")
    assert daemon.frame() == ASKED


def test_a_holders_name_moves_nobodys_cursor(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN, {**THEIRS, "holder": "x\x1b[2J" * 30})
    person.see(b"\x1b]2;fixer: x\\x1b[2J")
    assert b"\x1b[2J" not in person.written
    daemon.send({"type": "exit", "exit_code": 0, "signal": None, "cause": "ended_well"})
    assert person.end() == 0


def test_what_was_dropped_is_not_painted_over(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(EXACT, OURS)
    person.see(b"$ make")
    daemon.send({"type": "gap", "begin": 1000, "end": 5000, "reason": "x"}, {"type": "offset", "offset": 5000}, b"rest")
    person.see(b"rest")
    assert daemon.frame() == ASKED


def test_a_word_waits_for_the_end_of_a_sequence(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(EXACT, b"\x1b[3", OURS)
    person.see(b"\x1b[3")
    daemon.send(b"1mred")
    person.see(b"\x1b[31mred")
    person.see(b"lets go, the agent goes on]")


def test_who_comes_back_from_the_background_sees_the_screen_again(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(EXACT)
    person.see(b"$ make")
    person.process.send_signal(signal.SIGTSTP)
    os.waitid(os.P_PID, person.process.pid, os.WSTOPPED | os.WNOWAIT)
    person.process.send_signal(signal.SIGCONT)
    assert daemon.frame() == {"type": "resize", "rows": 24, "cols": 80}
    assert daemon.frame() == ASKED
