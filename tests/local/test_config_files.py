from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from descartes_core.errors import ConfigInvalid
from descartes_local.config_files import (
    Layer,
    check_environment,
    complaint,
    environment_names,
    merged,
    read_layers,
)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner = Inner()
    words: list[str] = []


def layers_of(*tables: dict[str, object]) -> list[Layer]:
    return [Layer(Path(f"/{number}"), table) for number, table in enumerate(tables)]


def told_of(*tables: dict[str, object]) -> str:
    layers = layers_of(*tables)
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(merged(layers))
    return complaint(caught.value, Outer, layers).message


def test_earlier_layers_win_per_key_and_lists_are_replaced_whole() -> None:
    layers = layers_of({"inner": {"a": 1}, "words": ["x"]}, {"inner": {"a": 2, "b": 2}, "words": ["y", "z"]})
    assert merged(layers) == {"inner": {"a": 1, "b": 2}, "words": ["x"]}
    assert layers[1].tables == {"inner": {"a": 2, "b": 2}, "words": ["y", "z"]}


def test_a_table_and_a_value_of_one_name_do_not_mix() -> None:
    assert merged(layers_of({"inner": 3}, {"inner": {"a": 1}})) == {"inner": 3}
    assert merged(layers_of({"inner": {"a": 1}}, {"inner": 3})) == {"inner": {"a": 1}}


def test_what_is_not_there_says_nothing_unless_it_is_needed(tmp_path: Path) -> None:
    gone = tmp_path / "gone.toml"
    assert read_layers([gone]) == []
    with pytest.raises(ConfigInvalid, match="no such file"):
        read_layers([gone], needed=gone)


def test_what_cannot_be_read_is_told_and_nothing_starts(tmp_path: Path) -> None:
    pipe, torn, odd, loop = (tmp_path / name for name in ("pipe", "torn", "odd", "loop"))
    os.mkfifo(pipe)
    torn.write_text("[a")
    odd.write_bytes(b"\xff")
    loop.symlink_to(loop)
    for path, reason in ((pipe, "no regular file"), (torn, "not TOML"), (odd, "not TOML"), (loop, "cannot be read")):
        with pytest.raises(ConfigInvalid, match=f"{path}: .*{reason}"):
            read_layers([path])


def test_the_layer_that_said_it_is_named() -> None:
    assert told_of({}, {"inner": {"number": "x"}}).startswith("/1: inner.number: ")
    assert told_of({"inner": {"number": "x"}}, {"inner": {"number": "y"}}).startswith("/0: inner.number: ")
    assert told_of({"words": ["a", 3]}).startswith("/0: words.1: ")


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = told_of({"inner": {"nmber": 1}}, {"wrds": []})
    assert "/0: unknown key inner.nmber; allowed: number" in told
    assert "/1: unknown key wrds; allowed: inner, words" in told


def test_what_nobody_said_is_the_configuration_s() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"words": 1})
    assert complaint(caught.value, Outer, []).message.startswith("configuration: words: ")


def test_a_variable_of_ours_with_an_unknown_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_INNER__NUMBER", "1")
    monkeypatch.setenv("DESCARTES_HOME", "/h")
    check_environment(Outer)
    assert environment_names() == ["DESCARTES_INNER__NUMBER"]
    monkeypatch.setenv("DESCARTES_INER__NUMBER", "1")
    with pytest.raises(ConfigInvalid, match="DESCARTES_INER__NUMBER: unknown section; allowed: inner, words"):
        check_environment(Outer)
