from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from descartes_core.errors import Conflict
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.session_file import path_in
from descartes_orchestrator import sessions
from descartes_orchestrator.rivals import bears, copy_beside, other_bearer
from descartes_orchestrator.sessions import Session


def test_a_place_bears_what_its_file_tells(shop: Session, tmp_path: Path) -> None:
    assert bears(shop.path, shop.id)
    assert not bears(shop.path, "another")
    assert not bears(tmp_path, shop.id)
    path_in(shop.path).write_text("{")
    assert not bears(shop.path, shop.id)


def test_a_link_to_it_is_no_other(shop: Session, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shop.path)
    places = [None, "", "relative", str(tmp_path / "link"), str(shop.path), "/no/such/place", "/a\0b"]
    assert other_bearer(shop.id, shop.path, places) is None


def test_a_copy_beside_is_found_before_anybody_has_looked_at_it(home: Home, shop: Session) -> None:
    assert copy_beside(shop.id, shop.path) is None
    (shop.path.parent / "file").write_text("")
    os.mkfifo(shop.path.parent / "pipe")
    copy = shop.path.with_name("copy")
    shutil.copytree(shop.path, copy)
    assert copy_beside(shop.id, shop.path) == copy
    with pytest.raises(Conflict, match=f"{copy} bear"):
        sessions.start(home, sessions.at(home, shop.path))
    assert registry.read(home).copies == {shop.id: (str(copy),)}
