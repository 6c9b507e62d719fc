"""What the daemon logs, in a process of its own: its descriptors and hooks are turned around."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

BEGIN = """
import logging, os, sys, threading, warnings
from pathlib import Path
from descartes_daemon.daemon_log import log_to
from descartes_local.config_sections import Log
from descartes_local.rotation import reopen
path = Path(sys.argv[1])
reopen(path)
settings = Log.model_validate_json(sys.argv[2])
handler = log_to(path, settings)
log = logging.getLogger("test")
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "daemon.log"


def said(code: str, log: Path, *, code_ends: int = 0, env: dict[str, str] | None = None, **settings: object) -> str:
    """Run it with a log, and return what it logged."""
    command = [sys.executable, "-c", BEGIN + code, str(log), json.dumps(settings)]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, check=False)
    assert done.returncode == code_ends
    return log.read_text()


def test_a_line_for_people_has_time_level_and_name(log: Path) -> None:
    (line,) = said("log.info('agent %s', 'a', extra={'pid': 3}); log.debug('no')", log).splitlines()
    time, _, rest = line.partition(" ")
    assert rest == "INFO test: agent a pid=3"
    assert time.endswith("Z")


def test_a_line_for_programs_is_one_object(log: Path) -> None:
    code = "log.debug('agent %s\\n', 'a', extra={'pid': 3, 'level': 'odd'})\n"
    code += "try: 1/0\nexcept Exception: log.exception('x')"
    first, second = map(json.loads, said(code, log, format="json", level="debug").splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {"level": "debug", "logger": "test", "message": "agent a\n", "pid": 3}
    assert "ZeroDivisionError" in second["exception"]


def test_no_text_passes_for_a_line_of_its_own(log: Path) -> None:
    lines = said("log.info('a\\nZ INFO forged: b\\x1b[31m\\u2028c')", log).splitlines()
    assert len(lines) == 1
    assert "\x1b" not in lines[0]


def test_a_trace_is_indented(log: Path) -> None:
    lines = said("try: int('x\\ny')\nexcept ValueError: log.exception('failed')", log).splitlines()
    assert lines[0].endswith("ERROR test: failed")
    assert len(lines) > 2
    assert all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_written(form: str, log: Path) -> None:
    code = """
handler.hide(["its-own-token-1234", "short"])
log.info("given its-own-token-1234 and env-value-9876, short", extra={"command": "x --api-key hunter2"})
log.info("env A_TOKEN=hunter2 curl https://me:hunter2@h.org", exc_info=None)
try:
    raise ValueError("Authorization: Bearer hunter2hunter2")
except ValueError:
    log.exception("its-own-token-1234")
"""
    text = said(code, log, env={"MY_API_KEY": "env-value-9876"}, format=form)
    for secret in ("its-own-token", "env-value", "hunter2"):
        assert secret not in text
    assert "short" in text


def test_what_nobody_caught_is_logged_too(log: Path) -> None:
    code = """
warnings.warn("odd", stacklevel=1)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("at last")
"""
    lines = [json.loads(line) for line in said(code, log, format="json", code_ends=1).splitlines()]
    assert [line["level"] for line in lines] == ["warning", "critical", "critical"]
    assert "odd" in lines[0]["message"]
    assert "ZeroDivisionError" in lines[1]["exception"]
    assert "at last" in lines[2]["exception"]


def test_a_full_log_is_begun_anew(log: Path) -> None:
    text = said("for n in range(3000): log.info('line %d of many, each of them some length', n)", log, max_bytes=65_536)
    older = [log.with_name(f"daemon.log.{number}") for number in (3, 2, 1)]
    lines = "".join(path.read_text() for path in older if path.exists()) + text
    assert [int(line.split()[4]) for line in lines.splitlines()] == list(range(3000))
    assert all(path.stat().st_size <= 66_000 for path in log.parent.iterdir())


def test_what_could_not_be_written_is_told_when_there_is_room(log: Path) -> None:
    """A limit on the size of files stands for a full disk: a line is torn, others are lost whole."""
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log.info("before")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
for _ in range(5):
    log.info("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.info("after")
"""
    lines = said(code, log).splitlines()
    assert lines[0].endswith("before")
    assert len(lines[1]) == 20
    assert lines[2].endswith("5 lines before this one could not be written")
    assert lines[3].endswith("INFO test: after")
    assert len(lines) == 4


def test_hup_opens_it_anew(log: Path) -> None:
    code = "log.info('begun')\nimport signal\nsignal.pause()\nlog.info('goes on')"
    with subprocess.Popen([sys.executable, "-c", BEGIN + code, str(log), "{}"]) as process:
        wait_until(lambda: log.exists() and "begun" in log.read_text(), "it has begun")
        log.rename(log.with_suffix(".old"))
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
    assert log.read_text().endswith("goes on\n")


def test_hup_leaves_a_terminal_or_pipe_alone(log: Path) -> None:
    code = "import signal\nos.kill(os.getpid(), signal.SIGHUP)\nlog.info('still here')"
    lone = BEGIN.replace("reopen(path)\n", "")
    command = [sys.executable, "-c", lone + code, str(log), "{}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.endswith("still here\n")
    assert not log.exists()
