"""Every parser that reads what others wrote, and what must hold of it whatever it reads."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import struct
import tempfile
import unicodedata
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from urllib.parse import parse_qsl

from descartes_core import jsonrpc
from descartes_core.errors import ConfigInvalid, DescartesError, ProtocolError, Unavailable
from descartes_core.frames import FrameReader
from descartes_core.lines import Lines
from descartes_core.plain_text import PlainText
from descartes_core.redaction import redact, redact_text
from descartes_core.session_record import read_record
from descartes_daemon import emulator, event_stream, exec_helper, gaps, terminal_socket
from descartes_daemon.checkpoints import Checkpoints
from descartes_daemon.dispatch import checked
from descartes_daemon.launch import Order, has_run
from descartes_daemon.output_index import RECORD, OutputIndex, Record
from descartes_local import registry, session_file, token
from descartes_local.config import load
from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_files
from descartes_orchestrator.supervisor.notify import NotifySocket
from tests.fuzz import bus, hooks, scud
from tests.support.asked import questions_of

ID = "5d3e1c9a-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class Target:
    """One parser: beginnings that are right, words of its language, and a run that tells the outcome, or raises."""

    name: str
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]
    run: Callable[[bytes], str]


@cache
def scratch() -> Path:
    """Return a directory of this process, short enough for sockets, and in memory: what is synced is slow on a disk."""
    directory = Path(tempfile.mkdtemp(prefix="fuzz", dir=next(filter(os.path.isdir, ("/dev/shm", "/tmp")))))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith("DESCARTES_")]:
        del os.environ[name]
    (directory / "shop" / ".scud").mkdir(parents=True)
    Home(directory / "home").make()
    return directory


def _jsonrpc(data: bytes) -> str:
    try:
        value = jsonrpc.parse(data)
        assert jsonrpc.parse(json.dumps(value)) == value, "what was read is not what is written"
        call = jsonrpc.call_of(value)
    except ProtocolError as error:
        json.loads(jsonrpc.refusal(None, error))
        return str(error)
    assert json.loads(jsonrpc.reply(call.id, {}))["id"] == call.id
    return f"call {type(call.id)}"


def _method(data: bytes) -> str:
    try:
        call = jsonrpc.call_of(jsonrpc.parse(data))
        request = checked(call.method, call.params)
    except DescartesError as error:
        told = f"{error.code} {error}"
    else:
        return type(request).__name__
    assert len(told) < 2000, "an error repeats what it was sent"
    return told


def _lines(data: bytes) -> str:
    said: list[object] = []
    for size in (len(data) + 1, 7):
        lines, found = Lines(50), []
        for start in range(0, len(data), size):
            lines.feed(data[start : start + size])
            found.append(_taken(lines))
            assert len(lines) <= 50 + size, "it holds more than it may"
        said.append([line for part in found for line in part])
    assert said[0] == said[1], "it depends on how it is cut"
    return str(len(data) % 50)


def _taken(lines: Lines) -> list[bytes | None]:
    found: list[bytes | None] = []
    while True:
        try:
            line = lines.next()
        except ProtocolError:
            found.append(None)
            continue
        if line is None:
            return found
        found.append(line)


def _frames(data: bytes) -> str:
    def read(size: int) -> tuple[list[object], str]:
        reader, found = FrameReader(), []
        try:
            for start in range(0, len(data), size):
                found += reader.feed(data[start : start + size])
        except ProtocolError as error:
            return found, str(error)
        return found, f"{len(found)} frames"

    whole, in_parts = read(len(data) + 1), read(5)
    assert whole[0] == in_parts[0], "it depends on how it is cut"
    return whole[1]


def _event_frames(data: bytes) -> str:
    try:
        kind, payload = event_stream._frame(data.decode(errors="replace"), jsonrpc.DEEPEST)
        model = {"Subscribe": event_stream.Subscribe, "UpdateFilter": event_stream.UpdateFilter}.get(kind)
        return kind if model is None else str(event_stream._model(model, payload))
    except DescartesError as error:
        return str(error)


def _terminal(data: bytes) -> str:
    query, _, message = data.partition(b"\n")
    try:
        request, tells_taken = terminal_socket.asked("an agent", parse_qsl(query.decode(errors="replace"), True))
        frame = terminal_socket.frame_of(message.decode(errors="replace"), jsonrpc.DEEPEST)
    except DescartesError as error:
        return str(error)
    kinds = {unicodedata.category(character) for character in request.client or ""}
    assert not kinds & {"Cc", "Zl", "Zp", "Cs"}, "a name could move a cursor"
    return f"{request} {tells_taken} {frame['type']}"


def _config(data: bytes) -> str:
    home = Home(scratch() / "home")
    told = ""
    for name in ("config.toml", "daemon.toml"):
        path = home.path / name
        path.write_bytes(data)
        try:
            load(home)
        except ConfigInvalid as error:
            told += error.message
        else:
            told += str(path)
        finally:
            path.unlink()
        assert str(path) in told, "the file is not named"
    return told.replace(str(scratch()), "")


def _workspace_config(data: bytes) -> str:
    workspace = scratch() / "shop"
    path = workspace / ".scud" / "descartes.toml"
    path.write_bytes(data)
    try:
        settings = load(Home(scratch() / "home"), workspace=workspace, session_id=ID)
    except ConfigInvalid as error:
        return error.message
    finally:
        path.unlink()
    assert settings.agents.command == [], "a file of a workspace names a command"
    assert settings.server == load(Home(scratch() / "home")).server, "a file of a workspace changes the doors"
    return "taken"


def _session(data: bytes) -> str:
    workspace = scratch() / "shop"
    session_file.path_in(workspace).write_bytes(data)
    try:
        record = session_file.load(workspace)
    except session_file.Unreadable as error:
        return error.reason
    assert record is not None
    assert read_record(json.loads(json.dumps(record.as_json()))) == record, "what is written is not what was read"
    session_file.save(workspace, record)
    return str(record.status)


def _registry(data: bytes) -> str:
    home = Home(scratch() / "home")
    home.sessions_file.write_bytes(data)
    found = registry.read(home)
    try:
        registry.remember(home, ID, "/somewhere")
        again = registry.read(home)
        assert (again.known[ID], again.note) == ("/somewhere", ""), "what was remembered is forgotten"
    finally:
        for path in home.path.glob("sessions.json*"):
            path.unlink()
    return found.note or f"{len(found.known)} known"


def _run_file(data: bytes) -> str:
    home = Home(scratch() / "home")
    path = home.run_file(ID)
    path.write_bytes(data)
    other = home.run / "other.json"
    other.write_bytes(RUN_FILE)
    found = read_run_files(home)
    for run in found:
        wrong = [
            field for field, value in run._asdict().items() if type(value) is not (int if field in _NUMBERS else str)
        ]
        assert not wrong, f"{wrong} are of another type"
        assert run.is_alive in (True, False)
    return str(len(found))


def _index(data: bytes) -> str:
    path = scratch() / "output.idx"
    path.write_bytes(data)
    index = OutputIndex(path)
    told = []
    for moment in (0.0, 1_700_000_000.0, 1e300):
        offset = index.offset_since(moment)
        assert offset is None or offset >= 0
        told.append(offset is None)
    for begin, end, most in ((0, 2**63, 1000), (100, 200, 5), (2**63, 2**64, 1)):
        records = index.records(begin, end, most)
        assert len(records) <= most
        assert all(before.offset <= after.offset for before, after in pairwise(records))
        told.append(bool(records))
    return str(told)


def _gaps(data: bytes) -> str:
    found = gaps.parse(data)
    assert all(begin < end for begin, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found)), "gaps overlap"
    return str(len(found))


def _checkpoint(data: bytes) -> str:
    (scratch() / "screen-100.saved").write_bytes(data)
    found = Checkpoints(scratch()).last(200)
    return "none" if found is None else "one"


def _screen(data: bytes) -> str:
    emulators = emulator.load()
    if emulators is None:
        return "no emulator"
    with closing(emulators.make(24, 80)) as first, closing(emulators.make(24, 80)) as second:
        first.feed(data[:8192])
        painted = first.snapshot()
        assert questions_of(painted) == [], "a painted screen asks something"
        second.feed(painted.encode())
        assert second.text() == first.text(), "what is painted is not what is shown"
        modes = [first.mode(number) for number in (6, 7, 69, 1000, 2004)]
        return f"{first.alternate} {first.cursor_visible} {modes} {bool(first.title)} {bool(first.pending())}"


def _token(data: bytes) -> str:
    home = Home(scratch() / "home")
    home.token.write_bytes(data)
    home.token.chmod(0o600)
    try:
        found = token.read_or_make(home)
    except Unavailable as error:
        return error.message
    assert found == found.strip(), "a token with blanks"
    assert len(found) >= 43, "a token that can be guessed"
    assert token.read_or_make(home) == found
    return "kept" if found.encode() in data else "made anew"


def _notice(data: bytes) -> str:
    path = scratch() / "notify"
    door = NotifySocket(path)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.connect(str(path))
            sender.send(data[:60_000])
            notices = list(door.receive(os.getpid()))
    finally:
        door.close()
    for notice in notices:
        notice.close()
        assert all(isinstance(name, str) and isinstance(value, str) for name, value in notice.fields.items())
    return str([sorted(notice.fields)[:3] for notice in notices])


def _plain_text(data: bytes) -> str:
    said = []
    for size in (len(data) + 1, 3):
        text = PlainText()
        parts = [text.feed(data[start : start + size]) for start in range(0, len(data), size)]
        said.append("".join(parts) + text.rest())
    assert said[0] == said[1], "it depends on how it is cut"
    assert not any(char < " " and char not in "\n\t" for char in said[0]), "control characters are left"
    return str(len(said[0]) > len(data) // 2)


def _redaction(data: bytes) -> str:
    text = data.decode(errors="surrogateescape")
    words = text.split("\n")
    assert len(redact(words)) == len(words), "a word more, or less"
    redact_text(text, known=("hunter2-hunter2",))
    shown = redact_text(f"{text} API_TOKEN=hunter2-hunter2 {text}", known=("hunter2-hunter2",))
    assert "hunter2-hunter2" not in shown, "a known secret is shown"
    return "***" if "***" in shown else "shown"


def _order(data: bytes) -> str:
    ours, theirs = socket.socketpair()
    before = exec_helper._SOCKET
    with ours, theirs:
        ours.sendall(data[:60_000])
        ours.shutdown(socket.SHUT_WR)
        exec_helper._SOCKET = theirs.fileno()
        try:
            order = exec_helper._order()
        except ValueError:
            return "no number"  # only our own daemon writes there: the helper ends with what Python says
        finally:
            exec_helper._SOCKET = before
    if order is not None and len(order) > 3:
        assert all(b"\0" not in field for field in order)
    return "none" if order is None else f"{len(order)} fields"


def _marks(data: bytes) -> str:
    path = scratch() / "exec"
    path.write_bytes(data)
    ran, failed = has_run(path)
    assert ran in (True, False)
    return f"{ran} {failed}"


def _record(at: float, offset: int) -> bytes:
    return Record(at, offset, 24, 80).as_bytes()


_NUMBERS = {"pid", "process_started"}
_RUN = RunFile(ID, "shop", "/p", 1, 2, ID, "http://127.0.0.1:1", "ws://127.0.0.1:2", "/s", "2026-01-01T00:00:00Z", "1")
RUN_FILE = json.dumps(_RUN._asdict()).encode()
_SESSION = json.dumps(
    {
        "id": ID,
        "name": "shop",
        "path": "/p",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "last_accessed": None,
        "status": "Inactive",
        "daemon_info": {"pid": 1, "http_endpoint": "h", "ws_endpoint": None, "started_at": ""},
        "ports": {"http": 1, "ws": 2},
    }
).encode()
_JSON = (b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b'"a":[]')
_CALL = b'{"jsonrpc": "2.0", "id": 1, "method": "agent.get", "params": {"agent_id": "fixer"}}'
_SPAWN = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "agent.spawn", "params": {"command": ["ls", "-l"], "env": {"A": "b"},'
    b' "rows": 24, "cols": 80, "grace": 1.5, "umask": 18}}'
)
_OUTPUT = b'{"jsonrpc": "2.0", "id": 1, "method": "agent.output", "params": {"agent_id": "a", "offset": 5, "wait": 1}}'
_SUBSCRIBE = (
    b'{"type": "Subscribe", "payload": {"since": 5, "filter": {"event_categories": ["agent"], "agent_ids": []}}}'
)
_TOML = (
    b'[agents]\ngrace = 5\ncommand = ["claude"]\n[server]\nhttp_port = 8080\nmax_nesting = 64\n[log]\nlevel = "debug"\n'
)
_ORIGINAL = (
    b'[server]\nhttp_addr = "127.0.0.1"\nrequest_timeout_secs = 30\n[auth]\nenabled = false\n[pool]\nmax_size = 100\n'
)
_FRAME = struct.Struct(">cI")
_TERMINAL = (
    b"\x1b[2J\x1b[1;31mred\x1b[0m\r\nplain\tx\x08y\x1b]0;title\x07\xc3\xa9\x1bPq#0\x1b\\\x1b[?1049h\x1b[5D\x1b[K"
)
_INDEX = b"".join(_record(1_700_000_000.0 + number, number * 100) for number in range(6))
_GAP = struct.Struct("<QQ")


def _gap(begin: int, end: int) -> bytes:
    return _GAP.pack(begin, end) + struct.pack("<I", zlib.crc32(_GAP.pack(begin, end)))


_TARGETS = (
    Target("jsonrpc", (_CALL, _SPAWN, b"[]", b'{"jsonrpc":"2.0","method":"m","id":-0.5}'), _JSON, _jsonrpc),
    Target("method", (_CALL, _SPAWN, _OUTPUT), (*_JSON, b'"wait"', b'"filter"', b"-1", b"[[]]"), _method),
    Target("lines", (b"one\ntwo\n", b"x" * 49 + b"\n" + b"y" * 51 + b"\n"), (b"\n", b"\n\n", b"x" * 50), _lines),
    Target(
        "frames",
        (
            _FRAME.pack(b"B", 3) + b"abc" + _FRAME.pack(b"J", 15) + b'{"type": "take"}'[:15],
            _FRAME.pack(b"J", 2) + b"{}",
        ),
        (b"B\0\0\0\1", b"J\0\0\0\x02{}", b"\xff\xff\xff\xff", b'{"type":"input","data":"x"}', b'{"type":1}'),
        _frames,
    ),
    Target("event_frames", (_SUBSCRIBE, b'{"type": "Pong"}'), (*_JSON, b'"since"', b'"task_ids"'), _event_frames),
    Target(
        "terminal",
        (b'from=12&mode=ro&rows=40&cols=80&client=ada%40pts&took=1\n{"type": "resize", "rows": 1, "cols": 2}', b"\n{}"),
        (*_JSON, b"&", b"=", b"from=", b"client=%1b", b"%e2%80%ae", b"rows=0", b'"type":', b"\n"),
        _terminal,
    ),
    Target(
        "config", (_TOML, _ORIGINAL), (b"[", b"]", b"=", b'"', b"'''", b"\n", b"[[server]]", b"inf", b"\xff"), _config
    ),
    Target(
        "workspace_config", (_TOML, b"[agents]\ngrace = 5\n"), (b"[", b"]\n", b"=", b'"""', b"a.b"), _workspace_config
    ),
    Target("scud_graph", (scud.GRAPH,), scud.WORDS, scud.read_graph),
    Target("scud_json", scud.JSON, (*_JSON, b'"tasks"', b'"id"', b'"tag"', b'"\\ud800"'), scud.read_json),
    Target("session", (_SESSION,), (*_JSON, b'"status"', b'"ports"', b'"Archived"', ID.upper().encode()), _session),
    Target(
        "registry",
        (json.dumps({"active_session_id": ID, "known": {ID: "/p"}, "copies": {ID: ["/q"]}, "removing": []}).encode(),),
        (*_JSON, b'"known"', b'"copies"', b'"removing"', b'[{"path":"/a","trash":"/b"}]', ID.encode()),
        _registry,
    ),
    Target("run_file", (RUN_FILE,), (*_JSON, b'"pid"', b'"name"', b'"more": 1', b"1e400"), _run_file),
    Target("index", (_INDEX, _INDEX * 60), (_record(0.0, 0), _record(2e9, 2**40), b"\0" * RECORD), _index),
    Target("gaps", (_gap(0, 5) + _gap(9, 20),), (_gap(4, 6), _gap(6, 4), _gap(2**63, 2**64 - 1), b"\0" * 20), _gaps),
    Target(
        "checkpoint", (struct.pack("<8sQI", b"DSCREEN1", 100, zlib.crc32(b"x")) + b"x",), (b"DSCREEN1",), _checkpoint
    ),
    Target(
        "screen",
        (_TERMINAL, b"$ vim\x1b[?1049h\x1b[2;20r\x1b[44mtext\xf0\x9f\xa6\x8a\x1b[6n\x1b]2;title\x07"),
        (
            b"\x1b[?1049h",
            b"\x1b[?6h",
            b"\x1b[?69h\x1b[5;9s",
            b"\x1b]8;;x\x07",
            b"\xe6\xbc\xa2",
            b"\xcc\x81",
            b"\x1b[K",
            b"\r\n",
        ),
        _screen,
    ),
    Target("token", (b"a" * 43 + b"\n", b""), (b"\n", b" ", b"\0", b"=" * 40, b"A" * 500), _token),
    Target("notice", (b"READY=1\nSTATUS=well", b"FDSTORE=1\nFDNAME=a"), (b"=", b"\n", b"FDNAME=", b"\r"), _notice),
    Target(
        "plain_text", (_TERMINAL, b"\xe2\x82"), (b"\x1b[", b"\x1b]", b"\x1bP", b"\x9b", b"\x18", b"9999C"), _plain_text
    ),
    Target(
        "redaction",
        (
            b"--api-key\nsk-abcdefghijklmnopqrst",
            b"NAME_TOKEN=x https://user:password@host Authorization: Bearer abcdefgh",
        ),
        (b"--token", b"=", b"://", b"@", b":", b"Bearer ", b"'", b'"', b"_KEY=", b"password", b"\\"),
        _redaction,
    ),
    Target(
        "order",
        (Order(["ls", "-l"], "/", {"A": "b"}, 18).as_bytes(),),
        (b"\0", b"0000000009\n", b"-", b"=", b"-1\n"),
        _order,
    ),
    Target("marks", (b"go\n", b"go\nfailed 2 not found\n"), (b"go", b"failed ", b"\n", b"\xff", b" "), _marks),
    Target("hook_answer", (hooks.ANSWER,), hooks.ANSWER_WORDS, hooks.answer),
    Target("hook_url", (hooks.URL, b"http://[::1]:80"), hooks.URL_WORDS, hooks.url),
    Target("bus_codec", bus.MESSAGES, bus.WORDS, bus.codec),
    Target("bus_link", (bus.CONVERSATION,), (*bus.WORDS, *bus.MESSAGES), bus.link),
    Target("bus_token", (bus.TOKEN,), (b"descartes-", b"=", b"\n", b"gaF2", b"-_"), bus.token),
)

TARGETS = MappingProxyType({target.name: target for target in _TARGETS})
