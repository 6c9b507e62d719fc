from __future__ import annotations

import os
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from descartes_core.errors import ConfigInvalid
from descartes_local.config_files import (
    Layer,
    complaints,
    environment_complaints,
    environment_names,
    merged,
    read_layers,
    variable_of,
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
    return "; ".join(complaints(caught.value, Outer, layers))


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
    assert complaints(caught.value, Outer, [])[0].startswith("configuration: words: ")


def test_a_variable_of_ours_with_an_unknown_section_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_INNER__NUMBER", "1")
    monkeypatch.setenv("DESCARTES_HOME", "/h")
    assert environment_complaints(Outer) == []
    assert environment_names() == ["DESCARTES_INNER__NUMBER"]
    monkeypatch.setenv("DESCARTES_INER__NUMBER", "1")
    assert environment_complaints(Outer) == [
        "environment variable DESCARTES_INER__NUMBER: unknown section; allowed: inner, words"
    ]


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_file_is_read_or_told(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "config.toml"
        path.write_bytes(content)
        try:
            tables = tomllib.loads(content.decode())
        except ValueError:
            with pytest.raises(ConfigInvalid, match=f"{path}: not TOML"):
                read_layers([path])
        else:
            (layer,) = read_layers([path])
            assert layer.tables == tables
            assert all(layer.place(key).startswith(str(path)) for key in tables)


def test_the_line_is_told_where_it_can_be_found() -> None:
    text = "# one\n[inner]\n  number = 1\n\n[ inner . deep ]\n'a b' = 2\nwords.few = []\n"
    layer = Layer(Path("/f"), {}, text)
    keys = ("inner.number", "inner.other", "inner.deep.a b", "inner.deep.words.few", "inner.deep.words.few.3", "outer")
    assert [layer.place(key) for key in keys] == ["/f:3", "/f:2", "/f:6", "/f:7", "/f:7", "/f"]


def test_the_line_of_a_key_is_that_of_its_name_in_the_file() -> None:
    layer = Layer(
        Path("/f"), {}, "[server]\nrequest_timeout_secs = 0\n", {"server.wait": "server.request_timeout_secs"}
    )
    assert layer.place("server.wait") == "/f:2"


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("descartes_inner__number", "1")
    monkeypatch.setenv("DESCARTES_INNER__WORDS", "")
    assert variable_of(("inner", "number")) == "descartes_inner__number"
    assert variable_of(("inner", "words")) is None


def test_a_value_that_may_be_a_secret_is_not_repeated() -> None:
    class Keys(BaseModel):
        api_key: int = 1

    with pytest.raises(ValidationError) as caught:
        Keys.model_validate({"api_key": "hunter2"})
    assert "hunter2" not in complaints(caught.value, Keys, [])[0]


def test_a_hint_stands_beside_an_unknown_key() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"innr": 1})
    (told,) = complaints(caught.value, Outer, [], hint=lambda key: f"; not {key}")
    assert told == "configuration: unknown key innr; not innr; allowed: inner, words"
