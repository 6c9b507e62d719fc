"""The supervisor's words are read without the parser, and mean what the parser would make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_daemon import options
from descartes_daemon.options import Options, read_options

WORDS = ["--http-port=8080", "--ws-port=8081", "--workdir=/w = x", "--session-id=a", "--name=--b", "--config=c.toml"]


def test_the_supervisors_words_mean_what_the_parser_makes_of_them() -> None:
    expected = Options(Path("/w = x"), 8080, 8081, Path("c.toml"), None, "a", "--b")
    assert options._plain(WORDS) == expected
    assert Options(**vars(options._parser().parse_args(WORDS))) == expected
    assert read_options(WORDS) == expected


@pytest.mark.parametrize(
    "words", [["-w", "8081"], ["--ws-port", "8081"], ["--ws=8081"], ["--ws-port=8081", "--log-level=info"]]
)
def test_what_is_written_otherwise_is_left_to_the_parser(words: list[str]) -> None:
    assert options._plain(words) is None
    assert read_options(words).ws_port == 8081


@pytest.mark.parametrize("words", [["--http-port=0"], ["--http-port=x"], ["--nonsense=1"], ["name"]])
def test_what_cannot_be_used_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(words)
    assert "descartes-daemon: error:" in capsys.readouterr().err
