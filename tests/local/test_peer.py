from __future__ import annotations

import os
import socket

from descartes_local.peer import Peer, peer_of


def test_the_kernel_tells_who_connected() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_of(ours) == (os.getpid(), os.getuid())


def test_only_the_same_user_and_root_may_come_in() -> None:
    assert Peer(1, os.getuid()).may_come_in
    assert Peer(1, 0).may_come_in
    assert not Peer(1, os.getuid() + 4711).may_come_in
