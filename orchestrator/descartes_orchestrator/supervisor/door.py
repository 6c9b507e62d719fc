"""Where callers come in: the listening socket, and everybody who came by it."""

from __future__ import annotations

import socket

from descartes_core.errors import LimitReached, TooLarge
from descartes_core.guests import Guests
from descartes_core.jsonrpc import Call
from descartes_local.descriptors import free_descriptors
from descartes_local.peer import peer_of
from descartes_orchestrator.supervisor.connections import LONGEST_LINE, Answer, Peer, Take
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.keeping import spare
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.saving import SavedCall, SavedPeer

#: What all unfinished requests, and all answers that nobody reads, may have together.
_MOST_HALF = 8 * LONGEST_LINE
#: Callers; each command is one for a moment. Beyond this the one that is idle for longest makes room for a newcomer;
#: where all are busy newcomers wait in the backlog.
MOST = 1000
#: Let in before those who are here have their turn.
_MOST_AT_ONCE = 100


class Door:
    """The listening socket, and everybody who came in by it."""

    def __init__(self, loop: Loop, listener: socket.socket, take: Take) -> None:
        self.take = take
        self._loop, self._listener = loop, listener
        self._peers: Guests[Peer] = Guests(MOST)
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._accept)

    def __len__(self) -> int:
        return len(self._peers)

    def fileno(self) -> int:
        """Return the listening socket's descriptor."""
        return self._listener.fileno()

    @property
    def owed(self) -> int:
        """How many calls are not answered yet, of those who still wait."""
        return sum(peer.owed for peer in self._peers)

    @property
    def has_callers(self) -> bool:
        """Whether somebody is here who may ask something: a daemon's line only tells it of our end."""
        return any(not peer.is_kin for peer in self._peers)

    def saved(self) -> tuple[SavedPeer, ...]:
        """Return who is here, for the door that takes our place."""
        return tuple(peer.saved() for peer in self._peers)

    def restore(self, saved: SavedPeer) -> None:
        """Go on with somebody who came in by the door whose place we take.

        Raises:
            OSError: there is no such connection.

        """
        peer = Peer(self._loop, socket.socket(fileno=saved.descriptor), self)
        self._peers.add(peer)
        peer.restore(saved)

    def restored(self, saved: SavedCall) -> tuple[Call, Answer] | None:
        """Return a call that is owed to somebody since before; None when he is gone."""
        peer = next((peer for peer in self._peers if peer.fileno() == saved.descriptor), None)
        if peer is None:
            return None
        call = Call(saved.method, saved.params, saved.identity, saved.is_notification)
        peer.owed += 1
        return call, Answer(peer, call)

    def accept_pending(self) -> None:
        """Let in who waits already; who comes later is not seen."""
        while self._let_in():
            pass

    def heard(self, peer: Peer) -> None:
        """Take note that a peer has said something."""
        self._peers.heard(peer)

    def check_held(self) -> None:
        """Let go of whoever holds most when all hold too much of what does not end, or is not read."""
        while (largest := self._peers.largest(_MOST_HALF)) is not None:
            largest.dismiss(TooLarge(f"{_MOST_HALF} bytes of unfinished requests and unread answers are held"))

    def leave(self, peer: Peer) -> None:
        """Forget a peer that is gone, and let in the next."""
        self._peers.remove(peer)
        if self._listener.fileno() >= 0:
            self._loop.watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Let nobody in any more, and everybody go."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        for peer in list(self._peers):
            peer.close()

    def _accept(self) -> None:
        for _ in range(_MOST_AT_ONCE):  # one a turn would let a newcomer wait for as many turns as others came before
            if not self._let_in():
                return

    @property
    def _is_full(self) -> bool:
        """Whether one more would take a place that is not there, or a descriptor that is not for callers."""
        free = free_descriptors()
        # Daemons' own lines are no callers, however many sessions there are; counted only where it might matter.
        is_full = self._peers.is_full and sum(not peer.is_kin for peer in self._peers) >= MOST
        return is_full or (free is not None and free <= spare() // 2)

    def _let_in(self) -> bool:
        is_full = self._is_full
        if is_full and self._peers.longest_idle() is None:
            self._rest()
            return False
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:  # no descriptor is free: until somebody leaves the newcomers wait
            note(f"cannot accept a connection: {error}")
            self._rest()
            return False
        if not peer_of(connection).may_come_in:
            connection.close()
            return True
        if is_full and (idle := self._peers.longest_idle()) is not None:
            idle.dismiss(LimitReached("others needed this place, and nothing was under way here: connect again"))
        self._peers.add(Peer(self._loop, connection, self))
        return True

    def _rest(self) -> None:
        self._loop.unwatch(self._listener.fileno())
        # Also when nobody leaves: a descriptor may have become free elsewhere.
        self._loop.later(1.0, self._come_back)

    def _come_back(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.watch(self._listener.fileno(), self._accept)
