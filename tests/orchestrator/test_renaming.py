from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from descartes_core.errors import Conflict, InvalidParams
from descartes_core.ids import new_id
from descartes_local.home import Home
from descartes_local.session_file import load
from descartes_orchestrator import sessions
from tests.orchestrator.supervised import Supervised


def name_in(workspace: Path) -> str:
    record = load(workspace)
    assert record is not None
    return record.name


def test_one_without_a_file_gets_one_with_its_id(home: Home, tmp_path: Path) -> None:
    (tmp_path / "shop" / ".scud").mkdir(parents=True)
    found = sessions.at(home, tmp_path / "shop")
    renamed = sessions.rename(home, found, "store")
    assert (renamed.id, renamed.name, renamed.has_file) == (found.id, "store", True)
    assert name_in(tmp_path / "shop") == "store"


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\nb", "x" * 101])
def test_the_rule_for_names_is_that_of_create(home: Home, tmp_path: Path, name: str) -> None:
    made = sessions.create(home, tmp_path / "shop")
    with pytest.raises(InvalidParams, match="name"):
        sessions.rename(home, made, name)
    assert name_in(made.path) == "shop"


def test_a_copy_is_not_renamed_for_it_would_be_its_original(home: Home, tmp_path: Path) -> None:
    made = sessions.create(home, tmp_path / "shop")
    shutil.copytree(made.path, tmp_path / "copy")
    with pytest.raises(Conflict, match="descartes sessions adopt"):
        sessions.rename(home, sessions.at(home, tmp_path / "copy"), "store")


def test_the_supervisor_calls_it_so_from_then_on(supervised: Supervised) -> None:
    speaking = supervised.session()
    assert supervised.call("renamed", {"id": speaking.id, "name": "store"}) == {}
    assert supervised.entry(speaking.id)["name"] == "store"
    assert supervised.call("renamed", {"id": new_id(), "name": "store"}) == {}
    speaking.stop()
