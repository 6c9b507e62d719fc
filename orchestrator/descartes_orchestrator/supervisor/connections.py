"""Those who ask us something: newline JSON-RPC on a Unix socket."""

from __future__ import annotations

import contextlib
import socket
import traceback
from collections.abc import Callable
from typing import Any

from descartes_core.errors import DescartesError, LimitReached, ProtocolError, TooLarge
from descartes_core.guests import Guests
from descartes_core.jsonrpc import Call, call_of, parse, refusal, reply
from descartes_local.peer import peer_of
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop

#: A request names a session and a few variables.
LONGEST_LINE = 1024 * 1024
#: What all unfinished requests may have together.
_MOST_HALF = 8 * LONGEST_LINE
#: Who does not read this much of our answers is let go.
_MOST_UNSENT = 4 * 1024 * 1024
#: Each command has one for a moment. Beyond this the one that is idle for longest makes room for a newcomer; where all
#: are busy newcomers wait in the backlog.
MOST = 1000
_PIECE = 65_536


class Answer:
    """The right to answer one call, once, now or later; the asker may be gone by then."""

    def __init__(self, peer: Peer, call: Call) -> None:
        self._peer, self._call = peer, call

    def give(self, result: Any) -> None:
        """Answer."""
        self._say(reply(self._call.id, result))

    def refuse(self, error: DescartesError) -> None:
        """Say why not."""
        self._say(refusal(self._call.id, error))

    def _say(self, line: bytes) -> None:
        self._peer.owed -= 1
        if not self._call.is_notification:
            self._peer.send(line)


Take = Callable[[Call, Answer], None]


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

    def accept_pending(self) -> None:
        """Let in who waits already; who comes later is not seen."""
        while self._let_in():
            pass

    def heard(self, peer: Peer) -> None:
        """Take note that a peer has said something."""
        self._peers.heard(peer)

    def check_held(self) -> None:
        """Let go of whoever holds most when all hold too much of requests that do not end."""
        while (largest := self._peers.largest(_MOST_HALF)) is not None:
            largest.dismiss(TooLarge(f"{_MOST_HALF} bytes of unfinished requests are held, which is the limit"))

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
        self._let_in()

    def _let_in(self) -> bool:
        if self._peers.is_full and self._peers.longest_idle() is None:
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
        if self._peers.is_full and (idle := self._peers.longest_idle()) is not None:
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


class Peer:
    """One connection."""

    def __init__(self, loop: Loop, connection: socket.socket, door: Door) -> None:
        self._loop, self._socket, self._door = loop, connection, door
        self._received, self._unsent = bytearray(), bytearray()
        self._is_leaving = False
        #: Calls that are not answered yet.
        self.owed = 0
        connection.setblocking(False)
        loop.watch(connection.fileno(), self._ready)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way for it."""
        return self.owed <= 0

    @property
    def held(self) -> int:
        """How many bytes of an unfinished request are kept for it."""
        return len(self._received)

    def dismiss(self, error: DescartesError) -> None:
        """Say why, as far as it goes, and let the peer go."""
        self.send(refusal(None, error))
        self.close()

    def send(self, line: bytes) -> None:
        """Send now, as far as it goes, and the rest when the peer reads."""
        if self._socket.fileno() < 0:
            return
        self._unsent += line
        self._flush()
        if len(self._unsent) > _MOST_UNSENT:
            self.close()

    def close(self) -> None:
        """Let the peer go."""
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._door.leave(self)

    def _ready(self) -> None:
        self._flush()
        if self._socket.fileno() < 0:
            return
        try:
            piece = self._socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.close()
        elif not self._is_leaving:
            self._received += piece
            self._take_lines()
            if len(self._received) > _PIECE:
                self._door.check_held()

    def _take_lines(self) -> None:
        while (end := self._received.find(b"\n")) >= 0 and not self._is_leaving:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._door.heard(self)
            if line.strip():
                self._take(line)
        if len(self._received) > LONGEST_LINE:
            # What still comes is read and thrown away: closing now would take the refusal back.
            self._is_leaving = True
            self._received.clear()
            self.send(refusal(None, TooLarge(f"a request may have {LONGEST_LINE} bytes")))

    def _take(self, line: bytes) -> None:
        try:
            call = call_of(parse(line))
        except ProtocolError as error:
            self.send(refusal(None, error))
            return
        self.owed += 1
        answer = Answer(self, call)
        try:
            self._door.take(call, answer)
        except DescartesError as error:
            answer.refuse(error)
        except Exception:
            note(f"internal error in {call.method}: {traceback.format_exc()}")
            answer.refuse(DescartesError("internal error: see supervisor.log"))

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._unsent[:sent]
        if self._is_leaving and not self._unsent:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        self._loop.watch(self._socket.fileno(), self._ready, writing=bool(self._unsent))
