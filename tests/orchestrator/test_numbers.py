from __future__ import annotations

import pytest

from descartes_core.errors import ConfigInvalid
from descartes_local.home import Home
from descartes_orchestrator.supervisor.numbers import Numbers, read_numbers


def test_without_a_configuration_the_defaults_hold(home: Home) -> None:
    assert read_numbers(home, {}) == Numbers()


def test_file_and_environment_count(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.make()
    (home.path / "config.toml").write_text("[supervisor]\ndeaths = 7\nlinger = 2\nhttp_base = 30000\n")
    monkeypatch.setenv("DESCARTES_SUPERVISOR__LINGER", "3")
    numbers = read_numbers(home, {})
    assert (numbers.rule.deaths, numbers.linger, numbers.bases) == (7, 3.0, (30000, 19380))


def test_the_environment_alone_counts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_SUPERVISOR__STOP_GRACE", "1.5")
    assert read_numbers(home, {}).stop_grace == 1.5


def test_nothing_begins_half_configured(home: Home) -> None:
    home.make()
    (home.path / "config.toml").write_text("[supervisor]\ndeaths = 0\n")
    with pytest.raises(ConfigInvalid, match=r"config.toml:2: supervisor\.deaths"):
        read_numbers(home, {})


def test_a_linger_that_is_no_number_is_told(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert read_numbers(home, {"DESCARTES_SUPERVISOR_LINGER": "soon"}) == Numbers()
    assert "is no number of seconds: soon" in capfd.readouterr().err
    assert read_numbers(home, {"DESCARTES_SUPERVISOR_LINGER": "0.5"}).linger == 0.5
