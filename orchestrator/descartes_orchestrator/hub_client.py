"""Ask the hub that runs here."""

from __future__ import annotations

import contextlib
from typing import Any

from descartes_core.errors import DaemonUnreachable, DescartesError, Unavailable
from descartes_core.ids import HUB_ID
from descartes_local.home import Home
from descartes_local.rpc_client import call

_PATIENCE = 60.0
_NONE = "no hub is running here: descartes hub start"


def ask(home: Home, method: str, params: dict[str, Any] | None = None) -> Any:
    """Ask the hub that runs here.

    Raises:
        Unavailable: none does.
        DescartesError: it refused.

    """
    try:
        return call(home.daemon_socket(HUB_ID), method, params, timeout=_PATIENCE)
    except DaemonUnreachable:
        raise Unavailable(f"{_elsewhere(home) or _NONE}{_trouble(home)}") from None


def _elsewhere(home: Home) -> str:
    """Return where the hub is that this home belongs to, if that is not its own."""
    from descartes_local.bus_file import bus_file_of, keys_in, read_bus_file, read_keys

    with contextlib.suppress(DescartesError):
        file, own = read_bus_file(bus_file_of(home)), read_keys(keys_in(home, "hub.key"))
        if file is not None and (own is None or own.public != file.hub_key):
            return (
                f"no hub is running here; the one that this machine's daemons belong to is at {file.hub}: ask it there"
            )
    return ""


def _trouble(home: Home) -> str:
    """Return why it does not run, where the supervisor has given it up."""
    from descartes_local import supervisor_client  # only where something is wrong

    with contextlib.suppress(DescartesError):
        supervisor = supervisor_client.connect(home)
        if supervisor is None:
            return ""
        with supervisor:
            for entry in supervisor.call("list").get("services", ()):
                if entry["id"] == HUB_ID and entry["error"]:
                    return "".join(f"\n{line}" for line in (f"it was given up: {entry['error']}", *entry["log_tail"]))
    return ""
