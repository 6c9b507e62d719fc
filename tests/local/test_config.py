from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.errors import ConfigInvalid
from descartes_core.restart import RestartRule
from descartes_local.config import Settings, every_key, examine, examine_layers, files, load, section_model
from descartes_local.config_files import Layer
from descartes_local.home import Home

#: What can stand behind an equals sign.
TOML = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SESSION = "0b6c9d6e-3f6e-4e6c-9d55-2f3f1c8a7a11"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_defaults_are_those_of_the_docs(home: Home) -> None:
    settings = load(home)
    assert (settings.server.http_port, settings.server.ws_port) == (8080, 8081)
    assert (settings.server.request_timeout, settings.server.max_connections) == (30.0, 1000)
    assert settings.discovery.search_paths == ["~/projects", "~/.descartes"]
    assert settings.discovery.max_depth == 3
    assert (settings.supervisor.http_base, settings.supervisor.ws_base) == (19280, 19380)
    assert (settings.agents.command, settings.agents.grace) == ([], 10.0)


def test_the_restart_rule_is_made_of_its_own_defaults(home: Home) -> None:
    assert load(home).supervisor.rule == RestartRule()
    write(home.path / "config.toml", "".join(f"{key} = 7\n" for key in ("[supervisor]\ndeaths", "window", "stable")))
    assert asdict(load(home).supervisor.rule) == {**asdict(RestartRule()), "deaths": 7, "window": 7.0, "stable": 7.0}


def test_every_source_wins_over_the_next_key_by_key(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "w"
    config_file = tmp_path / "config.toml"
    sources = [
        home.path / "daemon.toml",
        home.path / "config.toml",
        workspace / ".scud" / "descartes.toml",
        home.session(SESSION) / "config.toml",
        config_file,
    ]
    for number, path in enumerate(sources, 1):
        # Each says the same key, and one that only it says.
        only = ["max_agents", "max_name", "cols"][number - 1 : number]
        write(path, f"[agents]\nrows = {number}\n" + "".join(f"{key} = {number + 100}\n" for key in only))
    agents = load(home, workspace=workspace, session_id=SESSION, config_file=config_file).agents
    assert (agents.rows, agents.max_agents, agents.max_name, agents.cols) == (5, 101, 102, 103)
    assert load(home, workspace=workspace, session_id=SESSION).agents.rows == 4
    assert load(home, workspace=workspace).agents.rows == 3
    assert load(home).agents.rows == 2
    monkeypatch.setenv("DESCARTES_AGENTS__ROWS", "6")
    assert load(home, workspace=workspace, session_id=SESSION, config_file=config_file).agents.rows == 6


def test_the_files_that_count_are_told_in_order(home: Home) -> None:
    assert files(home) == [home.path / "config.toml", home.path / "daemon.toml"]


def test_a_list_in_the_environment_is_json(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_AGENTS__COMMAND", '["claude", "go on"]')
    assert load(home).agents.command == ["claude", "go on"]
    monkeypatch.setenv("DESCARTES_AGENTS__COMMAND", "claude")
    with pytest.raises(ConfigInvalid, match="a list is written as JSON"):
        load(home)


def test_variables_that_are_no_settings_are_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DESCARTES_SUPERVISOR", "DESCARTES_LOG", "DESCARTES_SESSION_ID", "DESCARTES_PROBE"):
        monkeypatch.setenv(name, "/run/supervisor.sock")
    monkeypatch.setenv("DESCARTES_LOG__LEVEL", "")
    assert load(home) == Settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\nhttp_port = 99999", "server.http_port: Input should be less than or equal to 65535, not 99999"),
        ("[server]\nhttp_port = true", "server.http_port: a number is needed, not True"),
        ("server = 1", "server: a table is needed, not 1"),
        ("[auth]\nenabled = true", "unknown key auth; a file called daemon.toml may have it"),
        ("[server]\nhttp_port = 'x'", "server.http_port: Input should be a valid integer"),
        ("[server]\nhttp_port = 8081", "server: http_port and ws_port are both 8081"),
        ("[server]\nport = 1", "unknown key server.port; allowed: http_port, ws_port, request_timeout"),
        (
            "[sever]\nport = 1",
            "unknown key sever; allowed: server, discovery, agents, output, retention, terminals, redaction, search, ",
        ),
        ("[agents]\ncommand = 'claude'", "agents.command: Input should be a valid list"),
        ("[agents]\ncommand = ['a', 3]", "agents.command.1: Input should be a valid string"),
        ("[agents]\ngrace = nan", "agents.grace: "),
        ("[discovery]\nsearch_paths = ['']", "discovery.search_paths.0: "),
        ("[log]\nlevel = 'loud'", "log.level: Input should be 'debug', 'info', 'warning' or 'error', not 'loud'"),
        ("[log", "not TOML: "),
    ],
)
def test_what_is_wrong_names_file_key_and_what_is_allowed(text: str, told: str, home: Home) -> None:
    path = write(home.path / "config.toml", text)
    with pytest.raises(ConfigInvalid) as caught:
        load(home)
    assert caught.value.message.startswith((f"{path}: ", f"{path}:1: ", f"{path}:2: "))
    assert told in caught.value.message


@pytest.mark.parametrize("section", ["AGENTS", "Agents", "aGents"])
def test_a_section_in_another_case_is_unknown(section: str, home: Home, tmp_path: Path) -> None:
    """The library takes a name in any case: so a workspace's own file could once name the command to run."""
    text = f'[{section}]\ncommand = ["anything"]\n'
    foreign = write(tmp_path / "w" / ".scud" / "descartes.toml", text)
    with pytest.raises(ConfigInvalid, match=f"{foreign}.*unknown key {section}; allowed: server, "):
        load(home, workspace=tmp_path / "w", session_id="x")
    foreign.unlink()
    own = write(home.path / "config.toml", text)
    with pytest.raises(ConfigInvalid, match=f"{own}.*unknown key {section}"):
        load(home)


def test_the_file_that_is_asked_for_must_be_there(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"gone\.toml: there is no such file"):
        load(home, config_file=tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DESCARTES_SERVER__HTTP_PORT", "x", "server.http_port: Input should be a valid integer"),
        ("DESCARTES_SERVER__PORT", "1", "unknown key server.port; allowed: http_port"),
        ("DESCARTES_SEVER__HTTP_PORT", "1", "unknown section; allowed: server, discovery"),
        ("descartes_agents__grace", "-1", "agents.grace: Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_variable_is_named(
    name: str, value: str, told: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigInvalid) as caught:
        load(home)
    assert f"environment variable {name}: " in caught.value.message
    assert told in caught.value.message


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().server = Settings().server  # type: ignore[misc]


def test_all_that_is_wrong_is_told_at_once(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = tmp_path / "w"
    write(home.path / "config.toml", "[log]\nlevel = 'loud'\n[server]\nprot = 1\n")
    write(home.path / "daemon.toml", "[auth]\njwt_secret = 'hunter2'\n")
    write(workspace / ".scud" / "descartes.toml", "[agents]\ncommand = ['rm']\n")
    monkeypatch.setenv("DESCARTES_AGENTS__COMMAND", "claude")
    monkeypatch.setenv("DESCARTES_SEVER__PORT", "1")
    found = examine(home, workspace=workspace)
    assert found.settings is None
    told = "\n".join(found.complaints)
    for part in ("log.level", "server.prot", "auth.jwt_secret", "agents.command may not", "AGENTS__COMMAND", "SEVER"):
        assert part in told
    assert "hunter2" not in told
    with pytest.raises(ConfigInvalid):
        found.values()


def test_each_value_says_where_it_comes_from(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = write(home.path / "config.toml", "[agents]\nrows = 30\ncols = 100\n")
    original = write(home.path / "daemon.toml", "[server]\nrequest_timeout_secs = 5\n[pool]\nmax_size = 3\n")
    monkeypatch.setenv("DESCARTES_AGENTS__COLS", "90")
    found = examine(home)
    assert found.settings is not None
    assert found.settings.server.request_timeout == 5.0
    assert found.origin_of("agents", "rows") == str(ours)
    assert found.origin_of("agents", "cols") == "environment variable DESCARTES_AGENTS__COLS"
    assert found.origin_of("server", "request_timeout") == str(original)
    assert found.origin_of("agents", "grace") == "default"
    assert [note.partition(": ")[2] for note in found.notes] == [
        "pool.max_size says nothing here: there is no pool: each session has one store of its own"
    ]
    assert found.values()["agents.cols"] == 90
    assert "agents.cols" not in found.values(with_environment=False)
    assert examine(home, with_environment=False).values()["agents.cols"] == 100


def test_every_key_is_listed_once() -> None:
    keys = every_key()
    assert len(keys) == len(set(keys))
    assert ("agents", "max_arguments") in keys
    assert {section for section, _ in keys} == set(Settings.model_fields)
    assert section_model("log").model_fields.keys() == {key for section, key in keys if section == "log"}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from([*Settings.model_fields, "auth", "pool", "logging", "host", "x"]),
        st.dictionaries(st.sampled_from(["level", "rows", "http_addr", "enabled", "max_size", "y"]), TOML, max_size=4)
        | TOML,
        max_size=4,
    )
)
def test_whatever_files_say_is_taken_or_told(tables: dict[str, object]) -> None:
    layers = [Layer(Path(f"/{name}"), tables) for name in ("descartes.toml", "config.toml", "daemon.toml")]
    found = examine_layers(layers, {Path("/descartes.toml")})
    assert (found.settings is None) == bool(found.complaints)
    assert all(isinstance(told, str) and told for told in found.complaints)
