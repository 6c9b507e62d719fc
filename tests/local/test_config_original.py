"""The files of the programs that Descartes comes from, as those wrote them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid
from descartes_local.config import Settings, every_key, load
from descartes_local.config_files import Layer
from descartes_local.config_original import ORIGINAL, hint, translated
from descartes_local.home import Home

SHIPPED = """\
[server]
http_addr = "127.0.0.1"
http_port = 8080
ws_addr = "127.0.0.1"
ws_port = 8081
request_timeout_secs = 20
max_connections = 900
enable_metrics = true
metrics_port = 9090

[pool]
min_size = 10
max_size = 100
connection_timeout_secs = 30
idle_timeout_secs = 300

[logging]
level = "warn"
stdout = true
format = "json"
"""
AUTH = '[auth]\nenabled = false\njwt_secret = "hunter2"\ntoken_expiry_secs = 3600\napi_key = "hunter3"\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def layer_of(text: str) -> Layer:
    return Layer(Path("/daemon.toml"), tomllib.loads(text), text)


def test_what_has_a_meaning_here_is_taken(home: Home) -> None:
    (home.path / "daemon.toml").write_text(SHIPPED)
    settings = load(home)
    assert settings.server.request_timeout == 20.0
    assert (settings.server.max_connections, settings.server.metrics_port) == (900, 9090)
    assert (settings.log.level, settings.log.format) == ("warning", "json")


def test_what_would_promise_too_much_is_refused_by_name(home: Home) -> None:
    (home.path / "daemon.toml").write_text(SHIPPED + AUTH)
    with pytest.raises(ConfigInvalid) as caught:
        load(home)
    told = caught.value.message
    for key in ("auth.enabled", "auth.jwt_secret", "auth.token_expiry_secs", "auth.api_key"):
        assert f": {key}: refused here: " in told
    assert "hunter" not in told
    assert f"{home.path / 'daemon.toml'}:22: auth.enabled" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[server]\nhttp_addr = '0.0.0.0'",
            "/daemon.toml:2: server.http_addr: refused here: daemons listen on 127.0.0.1",
        ),
        ("host = '::'", "/daemon.toml:1: host: refused here: "),
        ("data_directory = '/x'", "data_directory: refused here: set the variable DESCARTES_HOME"),
        ("[logging]\nlevel = 'loud'", "logging.level: 'loud' is none of trace, debug, info"),
        ("[logging]\nlevel = 3", "logging.level: 3 is none of"),
        ("[logging]\nlevel = []", "logging.level: [] is none of"),
        ("[logging]\nfile = 'x'", "logging.file: refused here: the log is daemon.log"),
        ("[auth]\nenabled = 'no'", "auth.enabled: refused here: "),
    ],
)
def test_the_reason_is_told(text: str, told: str) -> None:
    _, (wrong,) = translated(layer_of(text))
    assert told in wrong


def test_what_says_nothing_here_is_told_too() -> None:
    layer, wrong = translated(layer_of(SHIPPED))
    assert wrong == []
    assert [note.split(" ")[1] for note in layer.notes] == [
        *("server.http_addr", "server.ws_addr", "pool.min_size", "pool.max_size"),
        *("pool.connection_timeout_secs", "pool.idle_timeout_secs", "logging.stdout"),
    ]
    assert "pool" not in layer.tables


def test_post_cortexs_port_is_ours(home: Home) -> None:
    (home.path / "daemon.toml").write_text("host = '127.0.0.1'\nport = 3737\n")
    assert load(home).server.http_port == 3737


def test_a_wrong_value_is_told_at_its_own_line(home: Home) -> None:
    file = home.path / "daemon.toml"
    file.write_text("[server]\nrequest_timeout_secs = -1\n")
    with pytest.raises(ConfigInvalid, match=f"{file}:2: server.request_timeout: "):
        load(home)


def test_our_own_words_win() -> None:
    layer, _ = translated(layer_of("[server]\nrequest_timeout = 1\nrequest_timeout_secs = 2\n"))
    assert layer.tables == {"server": {"request_timeout": 1}}


def test_elsewhere_the_name_of_ours_is_told(home: Home) -> None:
    (home.path / "config.toml").write_text("[server]\nrequest_timeout_secs = 1\n")
    with pytest.raises(
        ConfigInvalid, match=r"unknown key server.request_timeout_secs; here it is server.request_timeout"
    ):
        load(home)
    assert hint("server.http_port") == ""
    assert "one token" in hint("auth.api_key")


def test_what_is_translated_is_ours() -> None:
    ours = {f"{section}.{key}" for section, key in every_key()}
    assert {meaning.ours for meaning in ORIGINAL.values() if meaning.ours} <= ours
    assert not set(ORIGINAL) & ours
    assert Settings()
