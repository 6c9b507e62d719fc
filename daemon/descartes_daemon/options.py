"""What the words of `descartes-daemon` say."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core import VERSION


@dataclass(frozen=True, slots=True)
class Options:
    """How one daemon is to be; None where nothing was said."""

    workdir: Path = Path()
    http_port: int | None = None
    ws_port: int | None = None
    config: Path | None = None
    log_level: str | None = None
    session_id: str | None = None
    name: str | None = None


def read_options(words: Sequence[str] | None = None) -> Options:
    """Return what is said, by default on the command line.

    Raises:
        SystemExit: it cannot be used, and standard error says why; or it was asked for help.

    """
    if words and (plain := _plain(words)) is not None:
        return plain
    return Options(**vars(_parser().parse_args(words)))


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port (1 to 65535)")
    return port


#: What the supervisor says, and what becomes of it.
_PLAIN: Mapping[str, Callable[[str], Any]] = {
    "--workdir": Path,
    "--http-port": _port,
    "--ws-port": _port,
    "--config": Path,
    "--session-id": str,
    "--name": str,
}


def _plain(words: Sequence[str]) -> Options | None:
    """Read `--NAME=VALUE` and nothing else; argparse is among the largest things that a forked daemon would touch."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in _PLAIN or not value:
            return None
        try:
            found[name.removeprefix("--").replace("-", "_")] = _PLAIN[name](value)
        except (argparse.ArgumentTypeError, ValueError):
            return None
    return Options(**found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="descartes-daemon",
        description="Serve one workspace: its agents, over HTTP, WebSocket and a Unix socket.",
        epilog="Usually `descartes` starts it. It ends on TERM or INT.",
    )
    parser.add_argument("--workdir", type=Path, default=Path(), help="the workspace (default: the current directory)")
    parser.add_argument("--http-port", type=_port, help="default: server.http_port, 8080")
    parser.add_argument("-w", "--ws-port", type=_port, help="default: server.ws_port, 8081")
    parser.add_argument("-c", "--config", type=Path, help="a configuration file")
    parser.add_argument("-l", "--log-level", choices=["debug", "info", "warning", "error"], help="default: log.level")
    parser.add_argument("--session-id", help="the session's id (default: what session.json says)")
    parser.add_argument("--name", help="the session's name (default: what session.json says)")
    parser.add_argument("--version", action="version", version=VERSION)
    return parser
