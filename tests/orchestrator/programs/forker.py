"""A fork server that answers what its first word says; it forks nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

from descartes_local.code_stamp import code_stamp

READY = json.dumps({"ready": True, "stamp": code_stamp()}).encode() + b"\n"
ANSWERS = {
    "nonsense": b"\x00\xff nonsense\n",
    "list": b"[1]\n",
    "no pid": b'{"pid": "1"}\n',
    "stranger": b'{"pid": 1}\n',
    "no room": b'{"error": "no process can be made"}\n',
    "torn": b'{"pid": ',
    "endless": b"x" * 10_000_000,
}

manner = sys.argv[1]
if manner == "broken":
    raise ImportError("a library is missing")
if manner == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
channel = socket.socket(fileno=3)
if manner == "loads for ever":
    channel.recv(1)
    sys.exit()
channel.sendall(READY)
if channel.recv(65_536):
    channel.sendall(ANSWERS[manner])
