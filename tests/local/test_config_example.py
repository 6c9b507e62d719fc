from __future__ import annotations

import tomllib
from pathlib import Path

from descartes_local.config import Settings, every_key, load
from descartes_local.config_example import example
from descartes_local.home import Home


def test_as_it_stands_it_says_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "config.toml").write_text(example())
    assert load(home) == Settings()


def test_every_key_can_be_taken_in(tmp_path: Path) -> None:
    text = "\n".join(line.removeprefix("# ") for line in example().splitlines()[3:] if line[:1] in ("#", "["))
    text = "\n".join(line for line in text.splitlines() if "=" in line or line.startswith("["))
    tables = tomllib.loads(text)
    assert [(section, key) for section, table in tables.items() for key in table] == every_key()
    tables["server"].pop("metrics_port")
    assert Settings(**tables) == Settings()


def test_each_key_is_explained() -> None:
    lines = example().splitlines()
    keys = [number for number, line in enumerate(lines) if line.startswith("# ") and " = " in line and line[2] != "#"]
    assert len(keys) == len(every_key())
    assert all(lines[number - 1].startswith("# # ") for number in keys)
