"""What is configured of search: groups of sessions, and what makes vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid
from descartes_local.config import load
from descartes_local.home import Home


def configured(directory: Path, text: str) -> Home:
    (directory / "config.toml").write_text(text)
    return Home(directory)


def test_groups_are_names_of_lists(tmp_path: Path) -> None:
    home = configured(tmp_path, '[search.groups]\nshop = ["shop", "~/projects/api"]\n')
    assert load(home).search.groups == {"shop": ["shop", "~/projects/api"]}


@pytest.mark.parametrize("value", ['"shop"', "{ shop = 3 }", '{ shop = [""] }'])
def test_other_groups_are_refused_by_name(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"search\.groups"):
        load(configured(tmp_path, f"[search]\ngroups = {value}\n"))


def test_an_unknown_embedder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"semantic\.embedder"):
        load(configured(tmp_path, '[semantic]\nembedder = "magic"\n'))


def test_a_workspace_sends_nothing_to_a_server(tmp_path: Path) -> None:
    workspace = tmp_path / "shop"
    (workspace / ".scud").mkdir(parents=True)
    (workspace / ".scud" / "descartes.toml").write_text('[semantic]\nembedder = "url"\nurl = "https://example.com"\n')
    with pytest.raises(ConfigInvalid, match=r"semantic"):
        load(Home(tmp_path / "home"), workspace=workspace)
