"""Sessions are started once, told when they are ready, and stopped without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from descartes_core.errors import (
    AgentsAlive,
    DaemonStartFailed,
    DeadlineOver,
    InvalidParams,
    MethodNotFound,
    TooLarge,
)
from descartes_core.ids import new_id
from descartes_core.jsonrpc import request
from descartes_local.processes import process_of
from descartes_local.run_file import RunFile, write_run_file
from descartes_orchestrator.supervisor.door import MOST
from tests.orchestrator.supervised import SUPERVISOR, Speaking, Supervised
from tests.support.leftovers import doors_of
from tests.support.waiting import process_gone


def test_a_start_is_answered_when_the_daemon_is_ready(supervised: Supervised) -> None:
    shop = supervised.session()
    assert shop.say("pid") == str(shop.where["pid"])
    assert shop.where["ws_endpoint"] == f"ws://127.0.0.1:{shop.port + 100}"
    assert Path(shop.where["socket"]).is_socket()
    assert supervised.entry(shop.id)["status"] == "Active"


def test_a_daemon_gets_its_doors_first_and_nothing_else(supervised: Supervised) -> None:
    supervised.session()
    second = supervised.session()
    assert second.say("names") == "http:ws:rpc"
    # 6 is the connection, 7 the listing itself.
    assert second.say("descriptors") == "0 1 2 3 4 5 6 7"


def test_a_daemon_gets_the_callers_settings_and_no_other_environment(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the shell that happened to come first")
    settings = {"DESCARTES_LOG__LEVEL": "debug", "DESCARTES_AGENT_ID": "the caller's own"}
    shop = Speaking(supervised, new_id())
    shop.start(env=settings)
    names = shop.say("environment").split()
    assert {"DESCARTES_LOG__LEVEL", "DESCARTES_HOME", "DESCARTES_SUPERVISOR", "DESCARTES_SOFT_NOFILE"} < set(names)
    assert not {"SECRET", "DESCARTES_AGENT_ID"} & set(names)


def test_twenty_starts_of_one_session_make_one_daemon(supervised: Supervised) -> None:
    identity = new_id()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: Speaking(supervised, identity).start(), range(20)))
    assert len({answer["pid"] for answer in answers}) == 1


def test_twenty_sessions_have_twenty_pairs_of_ports(supervised: Supervised) -> None:
    with ThreadPoolExecutor(20) as pool:
        sessions = list(pool.map(lambda _: supervised.session(), range(20)))
    ports = {endpoint for shop in sessions for endpoint in (shop.where["http_endpoint"], shop.where["ws_endpoint"])}
    assert len({port.rpartition(":")[2] for port in ports}) == 40


def test_a_session_gets_its_last_pair_again(supervised: Supervised) -> None:
    shop = supervised.session(ports=[19_777, 19_778])
    assert shop.port == 19_777


def test_ports_of_strangers_are_left_to_them(supervised: Supervised) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger, socket.create_server(("127.0.0.1", 0)) as other:
        taken = [stranger.getsockname()[1], other.getsockname()[1]]
        shop = supervised.session(ports=taken)
    assert shop.port not in taken


def test_a_first_start_that_fails_is_told_at_once_with_the_end_of_the_log(supervised: Supervised) -> None:
    with pytest.raises(DaemonStartFailed, match="exit code 3") as refused:
        supervised.session("fail")
    assert refused.value.message.splitlines()[1:] == [f"  line {number}" for number in range(4, 9)]
    assert doors_of(supervised.home) == ["supervisor.json", "supervisor.sock"]


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_a_start_that_fails_for_a_full_disk_says_so(supervised: Supervised) -> None:
    """The daemon ended, with nothing in its log: there was no room for a word."""
    shop = Speaking(supervised, new_id(), "fail")
    data = supervised.home.session(shop.id)
    data.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(data)], check=True)
    try:
        (data / "ballast").write_bytes(bytes(4096))
        with pytest.raises(DaemonStartFailed, match="its disk is full"):
            shop.start()
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def test_a_failed_session_is_listed_with_its_cause_and_can_be_started_again(supervised: Supervised) -> None:
    shop = Speaking(supervised, new_id(), "fail")
    with pytest.raises(DaemonStartFailed):
        shop.start()
    entry = supervised.entry(shop.id)
    assert (entry["status"], entry["pid"], entry["log_tail"][-1]) == ("Error", None, "line 8")
    shop.manner = ""
    assert shop.start()["pid"] == int(shop.say("pid"))


def test_a_daemon_that_is_never_ready_is_killed(supervised: Supervised) -> None:
    supervised.configure(ready_deadline=0.5)
    with pytest.raises(DaemonStartFailed, match=r"not ready within 0\.5 s"):
        supervised.session("mute")
    assert doors_of(supervised.home) == ["supervisor.json", "supervisor.sock"]


def test_a_stopped_session_leaves_nothing(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.stop()
    assert process_of(shop.where["pid"]) is None
    assert doors_of(supervised.home) == ["supervisor.json", "supervisor.sock"]
    with pytest.raises(ConnectionRefusedError):
        shop.say("pid")


def test_a_deaf_daemon_is_killed_after_the_grace(supervised: Supervised) -> None:
    shop = supervised.session("deaf")
    shop.stop(grace=0.2)
    assert process_of(shop.where["pid"]) is None


def test_a_daemon_that_stands_still_is_continued_so_that_it_hears(supervised: Supervised) -> None:
    shop = supervised.session()
    os.kill(shop.where["pid"], signal.SIGSTOP)
    shop.stop(grace=20.0)
    assert process_of(shop.where["pid"]) is None
    assert "ended in Stopping with signal SIGKILL" not in (supervised.home.log / "supervisor.log").read_text()


def test_stopping_what_is_not_known_is_done_already(supervised: Supervised) -> None:
    assert supervised.call("stop", {"id": new_id()}) == {}


def test_a_start_during_an_ending_makes_a_new_daemon(supervised: Supervised) -> None:
    shop = supervised.session("deaf")
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(shop.stop, 0.3)
        again = Speaking(supervised, shop.id)
        again.start()
        stopping.result()
    assert again.start()["pid"] in (shop.where["pid"], int(again.say("pid")))


def test_a_daemon_that_somebody_else_started_is_named_and_not_started_twice(supervised: Supervised) -> None:
    supervised.home.make()
    identity = new_id()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        process = process_of(other.pid)
        assert process is not None
        alone = ("http://127.0.0.1:8080", "ws://127.0.0.1:8081", "/socket", "then", "0")
        write_run_file(supervised.home, RunFile(identity, "n", "/", process.pid, process.started, new_id(), *alone))
        answer = Speaking(supervised, identity).start()
        assert other.stdin is not None
        other.stdin.close()
    supervised.home.run_file(identity).unlink()
    assert (answer["pid"], answer["http_endpoint"]) == (process.pid, "http://127.0.0.1:8080")


def test_shutdown_is_refused_while_a_session_lives(supervised: Supervised) -> None:
    shop = supervised.session()
    with pytest.raises(AgentsAlive, match="shop"):
        supervised.call("shutdown")
    shop.stop()
    pid = supervised.call("ping")["pid"]
    supervised.call("shutdown")
    process_gone(pid)


def test_it_ends_by_itself_when_it_keeps_nothing(supervised: Supervised) -> None:
    pid = supervised.call("ping")["pid"]
    process_gone(pid)
    assert list(supervised.home.run.iterdir()) == []


def test_it_tells_what_it_holds(supervised: Supervised) -> None:
    supervised.session()
    status = supervised.call("status")
    assert (status["sessions"], status["kept"], status["restarts"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("nonsense", {}, MethodNotFound),
        ("start", {}, InvalidParams),
        ("start", {"id": "../x", "name": "n", "path": "/"}, InvalidParams),
        ("start", {"id": new_id(), "name": "n", "path": "here"}, InvalidParams),
        ("start", {"id": new_id(), "name": "n\0", "path": "/"}, InvalidParams),
        ("start", {"id": new_id(), "name": "n", "path": "/", "ports": ["a"]}, InvalidParams),
        ("start", {"id": new_id(), "name": "n", "path": "/", "env": {"LD_PRELOAD": "x"}}, InvalidParams),
        ("stop", {"id": new_id(), "grace": -1}, InvalidParams),
        ("exit_status", {"pid": "1", "started": 2}, InvalidParams),
    ],
)
def test_bad_calls_are_refused(
    supervised: Supervised, method: str, params: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        supervised.call(method, params)


def test_a_request_without_end_is_refused(supervised: Supervised) -> None:
    with supervised.connect() as connection, pytest.raises(TooLarge):
        connection.call("ping", {"padding": "x" * 2_000_000})


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process hold more sockets than most shells allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_connections_that_say_nothing_keep_nobody_out(supervised: Supervised) -> None:
    """A thousand of them once kept every command waiting for ever."""
    supervised.call("ping")
    with contextlib.ExitStack() as stack:
        silent = []
        for number in range(MOST + 100):
            silent.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            silent[-1].connect(str(supervised.home.supervisor_socket))
            if number % 100 == 50:
                silent[-1].sendall(b'{"jsonrpc": "2.0"')
            if number % 100 == 99:  # in step with the backlog
                assert supervised.call("ping")["pid"]
        assert json.loads(silent[0].makefile("rb").readline())["error"]["data"]["code"] == "limit_reached"


@pytest.mark.usefixtures("many_descriptors")
def test_who_waits_for_an_answer_is_not_pushed_out(supervised: Supervised) -> None:
    supervised.configure(ready_deadline=20.0)
    mute = {"id": new_id(), "name": "n", "path": "/", "env": {"DESCARTES_TEST_MANNER": "mute"}}
    with supervised.connect() as waiting, contextlib.ExitStack() as stack:
        waiting.socket.sendall(request("start", mute, 1))
        for number in range(MOST + 50):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(supervised.home.supervisor_socket))
            if number % 100 == 99:
                supervised.call("ping")
        supervised.call("stop", {"id": mute["id"], "grace": 0.1})
        assert json.loads(waiting.socket.makefile("rb").readline())["id"] == 1


def test_unfinished_requests_together_are_bounded(supervised: Supervised) -> None:
    pid = supervised.call("ping")["pid"]
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            half = stack.enter_context(socket.socket(socket.AF_UNIX))
            half.connect(str(supervised.home.supervisor_socket))
            with contextlib.suppress(ConnectionError):
                half.sendall(b"x" * 900_000)
            supervised.call("ping")
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert resident < 60 * 1024 * 1024


def test_nobody_waits_longer_than_they_said(supervised: Supervised) -> None:
    mute = {"id": new_id(), "name": "n", "path": "/", "env": {"DESCARTES_TEST_MANNER": "mute"}}
    with supervised.connect() as connection, pytest.raises(DeadlineOver):
        connection.call("start", mute, timeout=0.3)


def test_it_holds_nothing_of_who_started_it(supervised: Supervised) -> None:
    """`descartes spawn … | tail` must end although the supervisor lives on."""
    code = (
        "import ast, sys\n"
        "from descartes_local.home import find_home\n"
        "from descartes_local.supervisor_client import ensure\n"
        f"print(ensure(find_home(), command={SUPERVISOR!r}).call('ping')['pid'])\n"
    )
    shell = f'exec 9>&1; {sys.executable} -c "$CODE" 8>&1 | cat'
    done = subprocess.run(
        ["bash", "-c", shell],
        env={**environment(supervised), "CODE": code},
        capture_output=True,
        timeout=20,
        check=True,
    )
    assert int(done.stdout) == supervised.call("ping")["pid"]


def environment(supervised: Supervised) -> dict[str, str]:
    return {"HOME": str(supervised.home.path.parent), "PATH": "/usr/bin:/bin", "DESCARTES_SUPERVISOR_LINGER": "2"}
