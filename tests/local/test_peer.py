from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from descartes_core.errors import DaemonUnreachable
from descartes_local.peer import Peer, connect_to_ours, is_held, peer_of
from descartes_local.rpc_client import Connection


def test_the_kernel_tells_who_connected() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_of(ours) == (os.getpid(), os.getuid())


def test_only_the_same_user_and_root_may_come_in() -> None:
    assert Peer(1, os.getuid()).may_come_in
    assert Peer(1, 0).may_come_in
    assert not Peer(1, os.getuid() + 4711).may_come_in


def test_where_one_of_us_listens_we_connect(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as connection:
        with pytest.raises(FileNotFoundError):
            connect_to_ours(connection, path)
        listening.bind(str(path))
        listening.listen()
        connect_to_ours(connection, path)
        assert connection.getpeername() == str(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_where_somebody_else_listens_nothing_is_said(tmp_path: Path) -> None:
    """In /tmp, once our directory there was cleared away, anybody could; a spawn would tell them its environment."""
    with socket.socket(socket.AF_UNIX) as listening:
        os.seteuid(12345)
        try:
            path = f"\0descartes-test-{os.getpid()}"
            listening.bind(path)
            listening.listen()
        finally:
            os.seteuid(0)
        with socket.socket(socket.AF_UNIX) as connection:
            with pytest.raises(PermissionError, match="only another user"):
                connect_to_ours(connection, path)
            assert connection.fileno() == -1
        with pytest.raises(DaemonUnreachable, match="only another user"):
            Connection(path)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_is_held_as_long_as_somebody_has_it_open(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = tmp_path / "x"
    assert not is_held(path)
    with socket.socket(socket.AF_UNIX, kind) as held:
        held.bind(str(path))
        if kind == socket.SOCK_STREAM:
            held.listen()
        assert is_held(path)
    assert path.exists()
    assert not is_held(path)


def test_one_that_listens_and_is_busy_is_held(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        first.connect(str(path))
        assert is_held(path)
