"""Where a runner's things lie, whatever its hub calls it."""

from __future__ import annotations

import os

import pytest

from descartes_orchestrator.runner import directory_name


@pytest.mark.parametrize("name", ["big", "a b", "größer"])
def test_a_name_is_its_directory(name: str) -> None:
    assert directory_name(name) == name


@pytest.mark.parametrize("name", ["..", ".", "../x", ".ssh", "", "/", "a/../../b", "界" * 100, "\0", "x" * 5000])
def test_no_name_leads_elsewhere(name: str) -> None:
    directory = directory_name(name)
    assert not set("/\0") & set(directory)
    assert not directory.startswith(".")
    assert 0 < len(os.fsencode(directory)) <= 200
