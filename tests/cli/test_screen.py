from __future__ import annotations

import base64
import getpass
import os
import signal
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.terminals import AGENT, Attached

pytestmark = pytest.mark.supervisor("shared")

SCREEN = {"type": "screen", "vt": "$ make\r\n", "rows": 24, "cols": 80, "offset": 1000, "exact": False}
OURS = {"type": "pen", "holder": "me", "yours": True}
THEIRS = {"type": "pen", "holder": "ada@pts/7 (pid 7)", "yours": False}
NOBODYS = {"type": "pen", "holder": None, "yours": False}
TAKE = {"type": "take"}
ASKED = {"type": "screen"}


@pytest.fixture
def attach(tmp_path: Path) -> Iterator[Callable[..., Attached]]:
    made: list[Attached] = []

    def start(*words: str) -> Attached:
        made.append(Attached(tmp_path, *words))
        return made[-1]

    yield start
    for attached in made:
        attached.close()


def test_the_screen_is_painted_and_keys_arrive_raw(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN)
    client = f"{os.environ.get('USER') or os.environ.get('LOGNAME') or getpass.getuser()}@{person.name}"
    wanted = {"agent_id": AGENT["id"], "rows": 24, "cols": 80, "mode": "rw", "client": client}
    assert (daemon.request["method"], daemon.request["params"]) == ("agent.attach", wanted)
    person.see(b"[fixer: Ctrl-] lets go, the agent goes on]")
    person.see(b"$ make\r\n")
    person.type(b"\x03\x04\x1a\r\x13\x11")
    assert daemon.frame() == b"\x03\x04\x1a\r\x13\x11"
    daemon.send(b"raw\n\xff")
    person.see(b"raw\n\xff")


def test_it_ends_with_the_agents_exit_code(attach: Callable[..., Attached]) -> None:
    person = attach()
    person.accept().agree(SCREEN, b"bye\r\n", {"type": "exit", "exit_code": 7, "signal": None, "cause": "ended_badly"})
    assert person.end() == 7
    assert b"bye\r\n" in person.written
    assert b"[fixer has ended: code 7]" in person.written
    assert person.is_as_before()


@pytest.mark.parametrize(("name", "code"), [("SIGKILL", 137), (None, 1)])
def test_a_signal_counts_from_128_and_the_unknown_is_no_success(
    attach: Callable[..., Attached], name: str | None, code: int
) -> None:
    person = attach()
    person.accept().agree(SCREEN, {"type": "exit", "exit_code": None, "signal": name, "cause": "ended_badly"})
    assert person.end() == code


@pytest.mark.parametrize("key", [b"\x1d", b"\x1b[93;5u"])
def test_the_detach_key_lets_go(attach: Callable[..., Attached], key: bytes) -> None:
    person = attach()
    person.accept().agree(SCREEN, b"\x1b[?1049h\x1b[?25l\x1b[>1u")
    person.see(b"\x1b[>1u")
    person.type(b"last" + key + b"not this")
    assert person.end() == 0
    assert b"[let go of fixer" in person.written
    assert b"\x1b[<1u\x1b[?25h\x1b[?1049l\x1b[0m" in person.written
    assert person.is_as_before()


def test_a_new_window_size_is_told(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN)
    person.see(b"$ make")
    person.resize(40, 120)
    assert daemon.frame() == {"type": "resize", "rows": 40, "cols": 120}


def test_it_comes_back_to_its_byte_and_brings_what_was_typed_meanwhile(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN, b"12345")
    person.see(b"12345")
    daemon.connection.close()
    again = person.accept()
    assert again.request["params"]["offset"] == 1005
    person.type(b"typed while it was away")
    again.agree({"type": "offset", "offset": 1005}, b"678")
    assert again.frame() == b"typed while it was away"
    person.see(b"12345678")


def test_a_window_resized_meanwhile_is_told_on_return(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN)
    person.see(b"$ make")
    person.resize(40, 120)
    assert daemon.frame() == {"type": "resize", "rows": 40, "cols": 120}
    daemon.connection.close()
    assert person.accept().request["params"]["rows"] == 40


def test_one_may_let_go_while_the_daemon_is_away(attach: Callable[..., Attached]) -> None:
    person = attach()
    person.accept().agree(SCREEN).connection.close()
    person.accept()  # and no answer
    person.see(b"$ make")
    person.type(b"\x1d")
    assert person.end() == 0
    assert person.is_as_before()


def test_an_agent_that_ended_meanwhile_is_read_to_its_end(attach: Callable[..., Attached]) -> None:
    """Attaching again is refused then: the rest comes from the log, and the exit code from the store."""
    person = attach()
    person.accept().agree(SCREEN, b"12345").connection.close()
    person.accept().refuse("refused", "fixer has ended")
    asked = person.accept()
    assert asked.request["method"] == "agent.get"
    asked.answer({"agent": {**AGENT, "ended_at": "x", "exit_code": 9, "signal": None}})
    asked = person.accept()
    assert asked.request["params"]["offset"] == 1005
    rest = base64.b64encode(b"the rest").decode()
    asked.answer({"offset": 1005, "data": rest, "next_offset": 1013, "size": 1013, "ended": True})
    assert person.end() == 9
    assert b"12345" in person.written
    assert b"the rest" in person.written


def test_a_refusal_is_told(attach: Callable[..., Attached]) -> None:
    person = attach()
    person.accept().refuse("limit_reached", "too many watch fixer")
    assert person.end() == 5
    assert b"descartes: too many watch fixer" in person.written
    assert person.is_as_before()


def test_a_daemon_that_speaks_nonsense_is_told(attach: Callable[..., Attached]) -> None:
    person = attach()
    person.accept().agree(SCREEN).connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert person.end() == 2
    assert person.is_as_before()


def test_who_only_watches_types_nothing(attach: Callable[..., Attached]) -> None:
    person = attach("read_only")
    daemon = person.accept().agree(SCREEN)
    assert daemon.request["params"]["mode"] == "ro"
    person.see(b"$ make")
    person.type(b"abc\x1d")
    assert person.end() == 0
    assert daemon.is_closed()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(attach: Callable[..., Attached], number: int) -> None:
    person = attach()
    person.accept().agree(SCREEN, b"\x1b[?2004h")
    person.see(b"\x1b[?2004h")
    assert not person.is_as_before()
    person.process.send_signal(number)
    assert person.end() == 128 + number
    assert person.is_as_before()
    assert b"\x1b[?2004l" in person.written


def test_who_is_stopped_gives_the_terminal_back_for_as_long(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN)
    person.see(b"$ make")
    person.process.send_signal(signal.SIGTSTP)
    os.waitid(os.P_PID, person.process.pid, os.WSTOPPED | os.WNOWAIT)
    assert person.is_as_before()
    person.process.send_signal(signal.SIGCONT)
    assert daemon.frame() == {"type": "resize", "rows": 24, "cols": 80}
    assert not termios.tcgetattr(person.slave)[3] & termios.ICANON


def test_a_paste_larger_than_every_buffer_arrives(attach: Callable[..., Attached]) -> None:
    person = attach()
    daemon = person.accept().agree(SCREEN)
    person.see(b"$ make")
    arrived, sent = b"", b"0123456789" * 400
    for _ in range(100):
        person.type(sent)
        while len(arrived) % len(sent) or not arrived.endswith(sent[-1:]) or len(arrived) < len(sent) * (_ + 1):
            frame = daemon.frame()
            assert isinstance(frame, bytes)
            arrived += frame
            daemon.send({"type": "took", "bytes": len(frame)})
    assert arrived == sent * 100


def test_what_was_not_heard_to_be_typed_is_typed_again(attach: Callable[..., Attached]) -> None:
    """A daemon killed with keys in its socket took them along: they were seen as sent, and never reached the agent."""
    person = attach()
    daemon = person.accept().agree(SCREEN)
    person.see(b"$ make")
    person.type(b"echo ")
    assert daemon.frame() == b"echo "
    daemon.send({"type": "took", "bytes": 5})
    person.type(b"hello")
    assert daemon.frame() == b"hello"
    daemon.connection.close()
    after = person.accept().agree({"type": "offset", "offset": 10})
    assert after.frame() == b"hello"
