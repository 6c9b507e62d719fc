from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_local.config import Settings
from descartes_local.config_marker import SECTIONS, is_ours


def test_the_sections_are_those_of_the_model() -> None:
    assert frozenset(Settings.model_fields) == SECTIONS


@pytest.mark.parametrize("text", ["[server]\nhttp_port = 1\n", "[log]\n[agents]\ncommand = ['x']", "log = {}"])
def test_sections_of_the_model_alone_are_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    assert is_ours(tmp_path / "config.toml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "baseURL = 'https://example.org/'\n[params]\n",
        "[build]\njobs = 1\n",
        "[server]\n[build]\n",
        "title = 'x'\n[server]\n",
        "[[server]]\nhttp_port = 1\n",
        "server = 1",
        "[llm]\nprovider = 'xai'\n",
        "[server",
        "\udcff",
    ],
)
def test_those_of_other_tools_are_not(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode(errors="surrogateescape"))
    assert not is_ours(tmp_path / "config.toml")


def test_a_pipe_is_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    assert not is_ours(tmp_path / "config.toml")


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        is_ours(tmp_path / "config.toml")
