"""Start and stop the user's hub, and let this home belong to one."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from typing import Any

from descartes_core.errors import Conflict, DaemonUnreachable, DeadlineOver, DescartesError, InvalidParams, Unavailable
from descartes_core.ids import HUB_ID
from descartes_local import supervisor_client
from descartes_local.bus_file import BusFile, Keys, bus_file_of, keys_in, read_bus_file, write_bus_file
from descartes_local.home import Home
from descartes_local.processes import process_of, wait_for_end
from descartes_local.rpc_client import Connection, call
from descartes_local.run_file import read_run_files
from descartes_orchestrator.hub.keeper import wanted
from descartes_orchestrator.hub_client import ask

#: A start is answered when the hub is ready; a stop when it has ended.
_LONGEST = 60.0
#: Seconds for one that runs in a terminal to end.
_GRACE = 10.0
#: The file of the home's own key, in `keys`.
_KEY = "bus.key"
#: A name, an IPv4 address or an IPv6 one; a port where another machine passes connections on.
_HOST = re.compile(r"[\w.-]+(:\d{1,5})?|\[?[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]?")
#: Hosts that mean every address of this machine.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - no address of ours is bound here


def start(home: Home) -> dict[str, Any]:
    """Have a hub, started by the supervisor if need be, that knows this home; return how it is.

    Raises:
        DescartesError: it does not begin.

    """
    home.make()
    with contextlib.suppress(Unavailable):
        return dict(ask(home, "hub.status"))
    with supervisor_client.ensure(home) as supervisor:
        supervisor.call("start", wanted(home), timeout=_LONGEST)
    return dict(ask(home, "hub.status"))


def belong_to_own(home: Home, name: str) -> BusFile | None:
    """Let this home's daemons belong to the hub that runs here; None where they belong to another one.

    Raises:
        DescartesError: the hub refuses, or a file of ours cannot be read.
        OSError: it cannot be written.

    """
    status = ask(home, "hub.status")
    before = read_bus_file(bus_file_of(home))
    if before is not None and before.hub_key != status["public_key"]:
        return None
    told = ask(home, "hub.admit", {"public_key": _own_keys(home).public, "role": "daemon", "name": name})
    return _belong(home, BusFile("daemon", local_endpoint(told["endpoint"]), told["hub_key"], told["name"], _KEY))


def join(home: Home, token: str, name: str) -> BusFile:
    """Let this home's daemons belong to the hub that a token names.

    Raises:
        Conflict: they belong to another one.
        DescartesError: it does not let us in.
        OSError: it cannot be written.

    """
    from descartes_core.bus.invitation import read_token
    from descartes_orchestrator.hub.joining import enroll

    before, invitation = read_bus_file(bus_file_of(home)), read_token(token)
    if before is not None and before.hub_key != invitation.hub_key:
        raise Conflict(f"this home belongs to the hub at {before.hub}: remove {bus_file_of(home)} to leave it")
    home.make()
    _, answer = enroll(token, _own_keys(home), name=name, role="daemon")
    return _belong(home, BusFile("daemon", invitation.endpoint, invitation.hub_key, answer.name, _KEY))


def connect_daemons(home: Home) -> list[str]:
    """Tell every living daemon to look where its hub is; return which have heard it."""
    heard = []
    for run in read_run_files(home):
        if run.is_alive:
            with contextlib.suppress(DescartesError):  # one of older code, or that just ends: the next one looks itself
                call(run.socket, "bus.connect", {}, timeout=5.0)
                heard.append(run.name)
    return heard


def stop(home: Home) -> bool:
    """End the hub; say whether there was one.

    Raises:
        DeadlineOver: it does not end.

    """
    supervisor = supervisor_client.connect(home)
    if supervisor is not None:
        with supervisor:
            is_kept = any(entry["id"] == HUB_ID for entry in supervisor.call("list").get("services", ()))
            if is_kept:
                supervisor.call("stop", {"id": HUB_ID}, timeout=_LONGEST)
                return True
    return _end_lone(home)


def local_endpoint(endpoint: str) -> str:
    """Return where this machine's own programs reach a hub that listens there."""
    scheme, host, port = parts(endpoint)
    return f"{scheme}://{_EVERYWHERE.get(host, host)}:{port}" if port else endpoint


def reachable_endpoint(endpoint: str, advertise: str | None) -> str:
    """Return where other machines reach a hub that listens there: as the user says, or by the default route.

    Raises:
        InvalidParams: what the user says is no host.

    """
    scheme, host, port = parts(endpoint)
    if not port:
        return endpoint
    if advertise:
        if not _HOST.fullmatch(advertise):
            raise InvalidParams(f"{advertise!r} is no host: write 10.0.0.1 or big.example, or 10.0.0.1:5555")
        if advertise.count(":") == 1:
            return f"{scheme}://{advertise}"
        bracketed = f"[{advertise}]" if ":" in advertise and not advertise.startswith("[") else advertise
        return f"{scheme}://{bracketed}:{port}"
    return f"{scheme}://{_own_address() if host in _EVERYWHERE else host}:{port}"


def parts(endpoint: str) -> tuple[str, str, str]:
    """Return scheme, host and port; no port where it has none."""
    scheme, _, rest = endpoint.partition("://")
    if scheme != "tcp":
        return scheme, rest, ""
    host, _, port = rest.rpartition(":")
    return scheme, host, port


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        try:
            tried.connect(("192.0.2.1", 9))  # an address of nobody's: nothing is sent, only a route is looked up
            return str(tried.getsockname()[0])
        except OSError:
            return _own_name()


def _own_name() -> str:
    """Return this machine's name where it is known at all, else that it is reached from itself only."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        return "127.0.0.1"
    return name


def _own_keys(home: Home) -> Keys:
    from descartes_orchestrator.hub.joining import keys_of

    return keys_of(keys_in(home, _KEY))


def _belong(home: Home, file: BusFile) -> BusFile:
    write_bus_file(bus_file_of(home), file)
    return file


def _end_lone(home: Home) -> bool:
    """End a hub that runs in a terminal."""
    try:
        with Connection(home.daemon_socket(HUB_ID)) as connection:
            pid = connection.call("hub.status")["pid"]
            process = process_of(pid)
            if process is None:
                return True
            os.kill(pid, signal.SIGTERM)
    except DaemonUnreachable:
        return False
    if not wait_for_end(process, _GRACE):
        raise DeadlineOver(f"the hub (pid {pid}) was asked to end, and does not")
    return True
