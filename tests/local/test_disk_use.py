from __future__ import annotations

import os
from pathlib import Path

from descartes_local.disk_use import taken_by


def test_files_at_every_depth_count_and_holes_do_not(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(b"x" * 10_000)
    (tmp_path / "a/b/two").write_bytes(b"x" * 10_000)
    with open(tmp_path / "a/hole", "wb") as hole:
        os.truncate(hole.fileno(), 1024**3)
    expected = sum((tmp_path / name).stat().st_blocks * 512 for name in ("one", "a/b/two"))
    assert taken_by(tmp_path) == expected > 0


def test_a_link_is_not_followed_and_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/much").write_bytes(b"x" * 100_000)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/link").symlink_to(tmp_path / "elsewhere")
    assert taken_by(tmp_path / "here") < 10_000
    assert taken_by(tmp_path / "missing") == 0
