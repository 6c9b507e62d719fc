"""The one model of what can be configured, and where its values come from."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from descartes_core.errors import ConfigInvalid
from descartes_local.config_files import (
    Layer,
    complaints,
    environment_complaints,
    has_key,
    merged,
    read_layers,
    unknown_sections,
    variable_of,
)
from descartes_local.config_known import Search, Semantic
from descartes_local.config_original import hint, translated
from descartes_local.config_places import ORIGINALS, environment_names
from descartes_local.config_places import files as files
from descartes_local.config_sections import (
    Agents,
    Discovery,
    Hooks,
    Hub,
    Log,
    Output,
    Redaction,
    Retention,
    Server,
    Supervisor,
    Tasks,
    Terminals,
)
from descartes_local.config_workspace import foreign, lies_in
from descartes_local.home import Home


class Settings(BaseSettings):
    """Everything that can be configured; environment before files before these defaults, per key."""

    model_config = SettingsConfigDict(
        env_prefix="DESCARTES_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    server: Server = Server()
    discovery: Discovery = Discovery()
    agents: Agents = Agents()
    output: Output = Output()
    retention: Retention = Retention()
    terminals: Terminals = Terminals()
    redaction: Redaction = Redaction()
    search: Search = Search()
    semantic: Semantic = Semantic()
    supervisor: Supervisor = Supervisor()
    hub: Hub = Hub()
    hooks: Hooks = Hooks()
    log: Log = Log()
    tasks: Tasks = Tasks()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment before the files, which `load` gives as arguments; read nothing else."""
        if isinstance(env_settings, EnvSettingsSource):
            # DESCARTES_SUPERVISOR is the keeper's socket, not the section of that name: only nested names are settings.
            env_settings.env_vars = {name: value for name, value in env_settings.env_vars.items() if "__" in name}
        return env_settings, init_settings


@cache
def defaults() -> Settings:
    """Return what holds where nothing is configured."""
    return Settings(_env_prefix="\0")


@dataclass(frozen=True, slots=True)
class Examined:
    """What files and environment say together."""

    #: None where something is wrong.
    settings: Settings | None
    #: Each names its file or variable, its key, and what is allowed.
    complaints: Sequence[str]
    #: Earlier ones win.
    layers: Sequence[Layer]

    def checked(self) -> Settings:
        """Return the settings.

        Raises:
            ConfigInvalid: something is wrong; it names all of it.

        """
        if self.settings is None:
            raise ConfigInvalid("; ".join(self.complaints))
        return self.settings

    @property
    def notes(self) -> list[str]:
        """What stands in the files and says nothing here."""
        return [note for layer in self.layers for note in layer.notes]

    def origin_of(self, section: str, key: str) -> str:
        """Return where a key's value comes from: a file's path, `environment variable NAME`, or `default`."""
        if name := variable_of((section, key)):
            return f"environment variable {name}"
        return next((str(layer.path) for layer in self.layers if has_key(layer.tables, (section, key))), "default")

    def values(self, *, with_environment: bool = True) -> dict[str, Any]:
        """Return all values by `section.key`, on request without those that the environment has set.

        Raises:
            ConfigInvalid: something is wrong.

        """
        settings = self.checked()
        names = [] if with_environment else environment_names()
        keys = [where for where in every_key() if not variable_of(where, names)]
        return {f"{section}.{key}": getattr(getattr(settings, section), key) for section, key in keys}


def load(
    home: Home, *, workspace: Path | None = None, session_id: str | None = None, config_file: Path | None = None
) -> Settings:
    """Return what is configured for this user, and for one session where that is named.

    Raises:
        ConfigInvalid: something is wrong; it names the file or variable, the key, and what is allowed.

    """
    return examine(home, workspace=workspace, session_id=session_id, config_file=config_file).checked()


def examine(
    home: Home,
    *,
    workspace: Path | None = None,
    session_id: str | None = None,
    config_file: Path | None = None,
    with_environment: bool = True,
) -> Examined:
    """Read all of it and tell all that is wrong.

    Raises:
        ConfigInvalid: a file cannot be read at all.

    """
    paths = files(home, workspace=workspace, session_id=session_id, config_file=config_file)
    read = read_layers(paths, needed=config_file)
    in_workspace = {layer.path for layer in read if lies_in(layer.path, workspace, home)}
    return examine_layers(read, in_workspace, with_environment=with_environment)


def examine_layers(read: Sequence[Layer], in_workspace: set[Path], *, with_environment: bool = True) -> Examined:
    """Check what was read; files that lie in a workspace may say little."""
    layers: list[Layer] = []
    wrong = _environment_complaints() if with_environment else []
    for layer in read:
        if layer.path in in_workspace:
            understood, more = foreign(layer, Settings)
        else:
            understood, more = translated(layer) if layer.path.name == ORIGINALS else (layer, [])
        layers.append(understood)
        wrong += more
    settings, more = _checked(layers, with_environment=with_environment)
    return Examined(settings if not wrong else None, [*wrong, *more], layers)


def _checked(layers: Sequence[Layer], *, with_environment: bool) -> tuple[Settings | None, list[str]]:
    wrong = unknown_sections(layers, Settings, hint=hint)
    tables = {section: table for section, table in merged(layers).items() if section in Settings.model_fields}
    try:
        is_told = with_environment and environment_names()
        if not tables and not is_told:
            return (None if wrong else defaults()), wrong
        # No variable can have such a name.
        settings = Settings(**tables) if is_told else Settings(_env_prefix="\0", **tables)
        return (None if wrong else settings), wrong
    except ValidationError as error:
        return None, [*wrong, *complaints(error, Settings, layers, hint=hint)]
    except SettingsError as error:
        # Which variable is no JSON was told by its name; the files are looked at without it.
        _, more = _checked(layers, with_environment=False)
        return None, more if _environment_complaints() else [f"environment: {error}", *more]


def _environment_complaints() -> list[str]:
    wrong = environment_complaints(Settings)
    names = environment_names()
    for section, key in every_key() if names else []:
        name = variable_of((section, key), names)
        if name and get_origin(section_model(section).model_fields[key].annotation) is list:
            try:
                json.loads(os.environ[name])
            except ValueError:
                wrong.append(f'environment variable {name}: a list is written as JSON, e.g. \'["a", "b"]\'')
    return wrong


def section_model(section: str) -> type[BaseModel]:
    """Return the model of a section."""
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def every_key() -> list[tuple[str, str]]:
    """Return all (section, key), in the order of the reference."""
    return [(section, key) for section in Settings.model_fields for key in section_model(section).model_fields]
