"""The tests' own network is as bad as it is told to be, and no worse."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from tests.support.wire import Wire, permitted

pytestmark = pytest.mark.supervisor("shared")

_LISTENS = """
import hashlib, socket
with socket.create_server(("10.77.0.1", 5000)) as server:
    print("listens", flush=True)
    connection, _ = server.accept()
    said = hashlib.sha256()
    while data := connection.recv(65536):
        said.update(data)
    print(said.hexdigest(), flush=True)
"""
_SENDS = """
import socket
with socket.create_connection(("10.77.0.1", 5000), timeout=30) as connection:
    connection.sendall(bytes(range(256)) * 4000)
"""


@pytest.mark.skipif(not permitted(), reason="network namespaces are not permitted here")
def test_what_tcp_carries_over_a_bad_wire_arrives_whole() -> None:
    with Wire(2) as wire:
        wire.faults.delay, wire.faults.jitter, wire.faults.loss = 0.001, 0.002, 0.02
        here, there = wire.hosts
        listener = subprocess.Popen(here.command(sys.executable, "-c", _LISTENS), stdout=subprocess.PIPE, text=True)
        with listener:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listens\n"
            subprocess.run(there.command(sys.executable, "-c", _SENDS), check=True, timeout=60)
            assert listener.stdout.readline().strip() == hashlib.sha256(bytes(range(256)) * 4000).hexdigest()


@pytest.mark.skipif(not permitted(), reason="network namespaces are not permitted here")
def test_nothing_passes_a_cut_wire() -> None:
    with Wire(2) as wire:
        wire.faults.is_cut = True
        program = "import socket; socket.create_connection(('10.77.0.1', 5000), timeout=0.3)"
        ran = subprocess.run(
            wire.hosts[1].command(sys.executable, "-c", program), capture_output=True, text=True, check=False
        )
        assert "TimeoutError" in ran.stderr
