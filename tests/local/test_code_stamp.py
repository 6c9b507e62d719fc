"""The stamp follows the code that would be imported now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_local.code_stamp import PACKAGES
from tests.support.house import FLOORS

CODE = """\
import sys
sys.path.append(sys.argv[1])
from descartes_local.code_stamp import code_stamp
print(code_stamp())
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A place where our packages are installed: what the stamp needs, and of each one room more."""
    place = tmp_path / "site-packages"
    for name, floor in (("descartes_core", "core"), ("descartes_local", "local")):
        shutil.copytree(FLOORS[floor], place / name)
    for name in PACKAGES:
        (place / name / "rooms").mkdir(parents=True)
        (place / name / "__init__.py").touch()
        (place / name / "rooms" / "room.py").write_text("one = 1\n")
    (place / "descartes_core" / "__init__.py").write_text('VERSION = "1.2.3"\n')
    return place


def stamp(installed: Path) -> str:
    """Return the stamp of this installation, by its own code."""
    words = [sys.executable, "-I", "-S", "-B", "-c", CODE, str(installed)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_it_begins_with_the_version(installed: Path) -> None:
    assert stamp(installed).startswith("1.2.3-")


def test_what_stays_has_the_same_stamp(installed: Path) -> None:
    assert stamp(installed) == stamp(installed)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_changed_file_of_ours_changes_it(installed: Path, package: str) -> None:
    before = stamp(installed)
    (installed / package / "rooms" / "room.py").write_text("one = 2\n")
    assert stamp(installed) != before


def test_a_file_that_is_older_and_as_long_changes_it(installed: Path) -> None:
    """A package upgrade brings files with the times of their making, and a downgrade older ones."""
    before = stamp(installed)
    os.utime(installed / PACKAGES[0] / "rooms" / "room.py", ns=(1, 1))
    assert stamp(installed) != before


def test_compiled_modules_change_nothing(installed: Path) -> None:
    before = stamp(installed)
    (installed / PACKAGES[0] / "__pycache__").mkdir(exist_ok=True)
    (installed / PACKAGES[0] / "__pycache__" / "x.pyc").touch()
    assert stamp(installed) == before


def test_another_library_beside_ours_changes_it(installed: Path) -> None:
    before = stamp(installed)
    (installed / "somebody").mkdir()
    assert stamp(installed) != before


def test_what_is_just_being_replaced_has_a_stamp_too(installed: Path) -> None:
    shutil.rmtree(installed / PACKAGES[2])
    assert stamp(installed)
