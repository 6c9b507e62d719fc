"""A network of the test's own: machines in network namespaces, and a wire between them that can be bad.

Each machine has one address on a TUN device; what it sends is read by a thread here, which delays it, loses it, lets it
overtake, or cuts the wire, packet by packet. So programs see what TCP makes of that, without netem and without touching
the machine's own network. Where namespaces are not permitted, `permitted` says so (and `proxy.py` does what it can).
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Self

_NEWNET, _NEWUSER = 0x4000_0000, 0x1000_0000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x4004_54CA, 0x0001, 0x1000
#: The largest packet that a TUN device of this size gives.
_MTU = 9000
_LONGEST_SLEEP = 0.2


@cache
def permitted() -> bool:
    """Say whether namespaces, TUN devices and the programs for them are there."""
    try:
        with Wire(1):
            return True
    except (OSError, subprocess.SubprocessError):
        return False


@dataclass(slots=True)
class Faults:
    """How bad the wire is; both ways alike."""

    #: Seconds each packet takes, and up to how much more by chance (so that packets overtake each other).
    delay: float = 0.0
    jitter: float = 0.0
    #: The share that is lost.
    loss: float = 0.0
    #: Nothing passes.
    is_cut: bool = False


@dataclass(slots=True)
class Host:
    """One machine: its address, and whose namespace it is."""

    address: str
    holder: subprocess.Popen[bytes]
    device: int

    def command(self, *words: object) -> list[str]:
        """Return how these words are run on this machine."""
        enter = ["nsenter", "--preserve-credentials", "-t", str(self.holder.pid), "-n"]
        return [*enter, *(() if os.geteuid() == 0 else ("-U",)), *map(str, words)]


@dataclass(slots=True)
class Wire:
    """Some machines and what joins them; packets that nobody has the address of are lost."""

    count: int
    faults: Faults = field(default_factory=Faults)
    hosts: list[Host] = field(default_factory=list)
    _over: bool = False
    _carrier: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Bring the machines up.

        Raises:
            OSError, subprocess.SubprocessError: it is not permitted here.

        """
        try:
            for number in range(1, self.count + 1):
                self.hosts.append(_host(f"10.77.0.{number}"))
        except BaseException:
            self._end()
            raise
        self._carrier = threading.Thread(target=self._carry, name="wire", daemon=True)
        self._carrier.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Take all down; what still runs there has no network any more."""
        self._end()

    def _end(self) -> None:
        self._over = True
        if self._carrier is not None:
            self._carrier.join()
        for host in self.hosts:
            os.close(host.device)
            host.holder.kill()
            host.holder.wait()

    def _carry(self) -> None:
        chance = random.Random(7)
        to = {socket.inet_aton(host.address): host.device for host in self.hosts}
        devices = list(to.values())
        under_way: list[tuple[float, int, int, bytes]] = []
        number = 0
        while not self._over:
            now = time.monotonic()
            while under_way and under_way[0][0] <= now:
                _, _, device, packet = heapq.heappop(under_way)
                _put(device, packet)
            patience = min(_LONGEST_SLEEP, under_way[0][0] - now) if under_way else _LONGEST_SLEEP
            readable, _, _ = select.select(devices, [], [], max(0.0, patience))
            now = time.monotonic()
            for packet in (one for device in readable for one in _all_of(device)):
                target = to.get(packet[16:20])
                faults = self.faults
                if target is None or faults.is_cut or chance.random() < faults.loss:
                    continue
                number += 1
                when = now + faults.delay + chance.random() * faults.jitter
                heapq.heappush(under_way, (when, number, target, packet))


def _all_of(device: int) -> list[bytes]:
    packets: list[bytes] = []
    try:
        while len(packets) < 64:
            packets.append(os.read(device, _MTU + 64))
    except BlockingIOError:
        pass
    return packets


def _put(device: int, packet: bytes) -> None:
    try:
        os.write(device, packet)
    except OSError:  # its queue is full, or it is going down: a packet may be lost
        return


def _host(address: str) -> Host:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.set_inheritable(True)
        command = [sys.executable, "-S", __file__, address, str(theirs.fileno())]
        holder = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        try:
            ours.settimeout(10)
            _, devices, _, _ = socket.recv_fds(ours, 1, 1)
        except BaseException:
            holder.kill()
            holder.wait()
            raise
    if not devices:
        holder.wait()
        raise OSError("no network namespace can be made here")
    os.set_blocking(devices[0], False)
    return Host(address, holder, devices[0])


def _hold(address: str, channel: int) -> None:
    """Be the one whose namespace it is, until killed; runs in a process of its own."""
    _enter_own_network()
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", b"wire0", _IFF_TUN | _IFF_NO_PI))
    for words in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{address}/24", "dev", "wire0"),
        ("link", "set", "wire0", "mtu", str(_MTU), "up"),
        ("route", "add", "default", "dev", "wire0"),
    ):
        subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    with socket.socket(fileno=channel) as asker:
        socket.send_fds(asker, [b"."], [device])
    os.close(device)
    while True:
        select.select([], [], [])


def _enter_own_network() -> None:
    libc, uid, gid = ctypes.CDLL(None, use_errno=True), os.geteuid(), os.getegid()
    if libc.unshare(_NEWNET if uid == 0 else _NEWNET | _NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)


if __name__ == "__main__":
    try:
        _hold(sys.argv[1], int(sys.argv[2]))
    except (OSError, subprocess.SubprocessError):
        sys.exit(1)
