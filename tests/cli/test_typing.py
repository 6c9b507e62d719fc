"""`send` and `screen`: what is typed, and what is then shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_daemon.emulator import load
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import said

pytestmark = pytest.mark.supervisor("shared")

needs_emulator = pytest.mark.skipif(load() is None, reason="pyghostty has no wheel here")


def a_raw_one(person: Person, shop: Path, *words: str) -> str:
    spawned = person.spawn(shop, agent("raw", *words), "--name", "raw")
    said(person.home, spawned["id"], "ready")
    return str(spawned["id"])


def test_a_text_is_pasted_and_a_key_is_typed(person: Person, shop: Path) -> None:
    identity = a_raw_one(person, shop, "paste")
    enter = r"b'\r'"
    bracketed = [rf"b'\x1b[200~{text}\x1b[201~'" for text in (r"one\ntwo", "three")]
    typed = {
        ("one\ntwo\x1b", "--enter"): [bracketed[0], enter],
        ("three\n",): [bracketed[1], enter],
        ("\x03",): [r"b'\x03'"],
        ("\x1b[A",): [r"b'\x1b[A'"],
        ("\r",): [enter],
        ("\x1b[1mas it is\n", "--raw"): [r"b'\x1b[1mas it is\n'"],
    }
    read: list[str] = []
    for words, reads in typed.items():
        person.run("send", "raw", *words)
        read += reads
        # What lies in a terminal is read in one piece: nothing more is typed until this was read.
        heard = said(person.home, identity, "ready\r\n" + "".join(f"read {keys}\r\n" for keys in read))
    told = [line.removeprefix("read ") for line in heard.splitlines() if line.startswith("read ")]
    assert told == read


def test_the_end_of_input_is_sent(person: Person, shop: Path) -> None:
    for options in ((), ("--no-tty",)):
        spawned = person.spawn(shop, ["cat"], *options)
        person.run("send", spawned["id"], "last", "--enter")
        person.run("send", spawned["id"], "--eof")
        assert person.run("wait", spawned["id"]).code == 0
        assert "last" in person.run("logs", spawned["id"]).stdout


def test_nothing_to_send_is_told(person: Person) -> None:
    assert "TEXT" in person.run("send", "fixer", check=False).stderr


@needs_emulator
def test_a_screen_is_shown_as_text_and_told_as_json(person: Person, shop: Path) -> None:
    said_by = r"\033[31mred\033[0m\033[3;3Hhere\033]2;title\007"
    spawned = person.spawn(shop, ["printf", said_by], "--name", "painter", "--size", "40x10")
    person.run("wait", spawned["id"])
    assert person.run("screen", "painter").stdout == "red\n\n  here\n"
    told = person.run("screen", "painter", "--json").json
    assert told["cursor"] == {"row": 2, "col": 6, "visible": True}
    assert (told["rows"], told["cols"], told["title"], told["source"]) == (10, 40, "title", "emulator")
    assert person.run("screen", "painter", "--offset", 8).stdout == "red\n"
    # Into a file it goes as it is.
    assert "\x1b[38;5;1mred" in person.run("screen", "painter", "--format", "vt").stdout


def test_what_has_no_screen_is_told(person: Person, shop: Path) -> None:
    spawned = person.spawn(shop, ["true"], "--no-tty")
    assert person.run("screen", spawned["id"], check=False).code == 5
    assert person.run("screen", "nobody", check=False).code == 3
    assert person.run("screen", spawned["id"], "--offset", "-1", check=False).code == 2
