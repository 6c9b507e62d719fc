"""A recording of a gigabyte is exported and shown again in the memory of a short one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import installed

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

SIZE = int(os.environ.get("RECORDING_BYTES", "1000000000"))
#: A short recording takes some 28 MiB of it.
MOST = 64 * 1024 * 1024


def peak_of(person: Person, *words: object) -> int:
    """Run a command to its end and return the most memory it had."""
    with subprocess.Popen(
        [installed("descartes"), *map(str, words)], cwd=person.directory, stdout=subprocess.DEVNULL
    ) as command:
        _, status, usage = os.wait4(command.pid, 0)
        command.returncode = os.waitstatus_to_exitcode(status)
    assert command.returncode == 0, words
    return usage.ru_maxrss * 1024


def test_a_long_recording_takes_no_more_memory_than_a_short_one(person: Person) -> None:
    shop: Path = person.workspace("shop")
    lines = f"yes 'compiling src/module/file.rs and some more words here to fill the line up' | head -c {SIZE}"
    person.spawn(shop, ["sh", "-c", lines], "--name", "long")
    person.run("wait", "long", timeout=600)
    kept = person.directory / "long"
    for words in (
        ("export", "long", "-o", f"{kept}.cast"),
        ("export", "long", "-o", f"{kept}.html"),
        ("replay", "long", "--idle-limit", 0),
        ("import", f"{kept}.cast", "-s", shop, "--name", "again"),
    ):
        assert peak_of(person, *words) < MOST, words
    assert (kept.with_suffix(".html")).stat().st_size > SIZE
