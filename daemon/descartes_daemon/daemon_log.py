"""What the daemon logs: lines for people or programs, bounded, without secrets."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from descartes_core.redaction import is_secret_name, redact_text
from descartes_core.times import written
from descartes_local.config_sections import Log
from descartes_local.rotation import is_a_file, reopen, rotate

#: Shorter values are words that stand elsewhere too.
_SHORTEST_SECRET = 8
#: A record has these by itself; what it has besides was given as `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: Each statement would be two lines, and each connection one, with its whole address.
_LEVELS = {
    **dict.fromkeys(("asyncio", "aiosqlite"), logging.WARNING),
    **dict.fromkeys(("uvicorn.error", "uvicorn.access", "uvicorn.asgi"), logging.ERROR),
}

_log = logging.getLogger(__name__)


class DaemonLog(logging.Handler):
    """Writes to standard error; where that is daemon.log, it is begun anew when it is full.

    What cannot be written (a full disk) is counted, and told once something can be written again.
    """

    def __init__(self, path: Path, settings: Log) -> None:
        super().__init__()
        self._path, self._settings = path, settings
        self._is_json = settings.format == "json"
        self._secrets: set[str] = set()
        self._lost = 0
        #: Half a line was written: the next one begins on a line of its own.
        self._is_torn = False

    def hide(self, secrets: Iterable[str]) -> None:
        """Never write these values."""
        self._secrets.update(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            if self._lost:
                told = f"{self._lost} lines before this one could not be written"
                lost = logging.makeLogRecord({"name": __name__, "levelname": "WARNING", "msg": told})
                if not self._write(self._line(lost)):
                    self._lost += 1
                    return
                self._lost = 0
            self._lost += not self._write(self._line(record))
        except Exception:  # what cannot be logged must not end what logs
            self._lost += 1

    def _write(self, line: str) -> bool:
        content = (f"\n{line}\n" if self._is_torn else f"{line}\n").encode(errors="backslashreplace")
        rest = content
        try:
            while rest:
                rest = rest[os.write(2, rest) :]
        except OSError:
            self._is_torn = self._is_torn or len(rest) < len(content)
            return False
        self._is_torn = False
        self._rotate()
        return True

    def _rotate(self) -> None:
        try:
            rotate(self._path, most=self._settings.max_bytes, keep=self._settings.keep)
        except OSError:
            return  # a full disk: it goes on growing, and is tried again at the next line

    def _line(self, record: logging.LogRecord) -> str:
        hidden = tuple(self._secrets)
        message = redact_text(record.getMessage(), hidden)
        trace = redact_text(_trace_of(record), hidden)
        extra = {
            name: redact_text(value, hidden) if isinstance(value, str) else value
            for name, value in vars(record).items()
            if name not in _OWN
        }
        return _as_json(record, message, trace, extra) if self._is_json else _as_text(record, message, trace, extra)


def _as_json(record: logging.LogRecord, message: str, trace: str, extra: dict[str, Any]) -> str:
    told = {
        "time": written(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": message,
        **({"exception": trace} if trace else {}),
    }
    return json.dumps({**extra, **told}, default=str)


def _as_text(record: logging.LogRecord, message: str, trace: str, extra: dict[str, Any]) -> str:
    more = "".join(f" {name}={value!r}" for name, value in extra.items())
    first = f"{written(record.created)} {record.levelname} {record.name}: {_on_one_line(message)}{more}"
    return "\n".join([first, *(f"  {_on_one_line(line)}" for line in trace.splitlines())])


def _on_one_line(text: str) -> str:
    """Return a text that cannot pass for a line of its own, nor steer a terminal."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _trace_of(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return logging.Formatter().formatException(record.exc_info)


def set_levels(level: int = logging.INFO) -> None:
    """Say from which level on things are logged."""
    for name, wanted in {**_LEVELS, "": level}.items():
        # To set it touches every logger there is, which in a forked daemon would be a copy of each.
        if (logger := logging.getLogger(name)).level != wanted:
            logger.setLevel(wanted)


def log_to(path: Path, settings: Log, *, level: str | None = None) -> DaemonLog:
    """Log from here on, everything: warnings, and what nobody caught, too.

    HUP opens the log anew (after it was moved away), where standard error goes to a file.
    """
    handler = DaemonLog(path, settings)
    handler.hide(value for name, value in os.environ.items() if is_secret_name(name))
    set_levels(logging.getLevelNamesMapping()[(level or settings.level).upper()])
    logging.getLogger().handlers[:] = [handler]
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _log.critical(
        "a thread ended with an error", exc_info=(told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback)
    )
    faulthandler.enable(2)  # a library of ours that crashes leaves at least where
    had_file = is_a_file()

    def anew(_number: int, _frame: object) -> None:
        if had_file:
            reopen(path)

    signal.signal(signal.SIGHUP, anew)
    return handler


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.critical("the daemon ends: nobody caught an error", exc_info=(kind, error, trace))
