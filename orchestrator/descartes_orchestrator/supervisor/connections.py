"""Those who ask us something: newline JSON-RPC on a Unix socket."""

from __future__ import annotations

import contextlib
import socket
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from descartes_core.errors import DescartesError, LimitReached, ProtocolError, TooLarge
from descartes_core.jsonrpc import Call, call_of, parse, refusal, reply
from descartes_local.peer import peer_of
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.saving import SavedCall, SavedPeer

#: A request names a session and a few variables.
LONGEST_LINE = 1024 * 1024
#: Who does not read this much of our answers is let go.
_MOST_UNSENT = 4 * 1024 * 1024
#: A command waits for one answer at a time.
_MOST_OWED = 100
_PIECE = 65_536
#: What one may say until others have their turn: some fifty short calls.
_AT_ONCE = 4096


class Answer:
    """The right to answer one call, once, now or later; the asker may be gone by then."""

    def __init__(self, peer: Peer, call: Call) -> None:
        self._peer, self._call = peer, call
        self._is_given = False

    def by(self, take: Take) -> None:
        """Let this take the call, and refuse what goes wrong; a fault of ours harms nobody else's call."""
        try:
            take(self._call, self)
        except DescartesError as error:
            self.refuse(error)
        except Exception:
            note(f"internal error in {self._call.method}: {traceback.format_exc()}")
            self.refuse(DescartesError("internal error: see supervisor.log"))

    def give(self, result: Any) -> None:
        """Answer."""
        self._say(reply(self._call.id, result))

    def refuse(self, error: DescartesError) -> None:
        """Say why not."""
        self._say(refusal(self._call.id, error))

    @property
    def asker(self) -> Peer:
        """Who asks."""
        return self._peer

    @property
    def is_awaited(self) -> bool:
        """Whether the asker is still there."""
        return self._peer.fileno() >= 0

    def saved(self) -> SavedCall:
        """Return the call, for who will answer it in our place."""
        call = self._call
        return SavedCall(self._peer.fileno(), call.id, call.method, call.params, call.is_notification)

    def _say(self, line: bytes) -> None:
        if self._is_given:  # what went wrong after it was given is in the log
            return
        self._is_given = True
        self._peer.owed -= 1
        if not self._call.is_notification:
            self._peer.send(line)


Take = Callable[[Call, Answer], None]


class Host(Protocol):
    """Where connections come in."""

    take: Take

    def heard(self, peer: Peer) -> None:
        """Take note that a peer has said something."""

    def check_held(self) -> None:
        """Let go of whoever holds most when all hold too much of what does not end, or is not read."""

    def leave(self, peer: Peer) -> None:
        """Forget a peer that is gone."""


class Peer:
    """One connection."""

    def __init__(self, loop: Loop, connection: socket.socket, door: Host) -> None:
        self._loop, self._socket, self._door = loop, connection, door
        self._received, self._unsent = bytearray(), bytearray()
        self._is_leaving = self._has_spoken = False
        #: Calls that are not answered yet.
        self.owed = 0
        #: A daemon of ours, which is to notice our end by this.
        self.is_kin = False
        connection.setblocking(False)
        loop.watch(connection.fileno(), self._ready)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way for it, and nobody counts on it."""
        return self.owed <= 0 and not self.is_kin

    @property
    def pid(self) -> int:
        """The process that connected; 0 where the system does not tell."""
        return peer_of(self._socket).pid

    @property
    def held(self) -> int:
        """How many bytes are kept for it, of an unfinished request and of answers it does not read."""
        return len(self._received) + len(self._unsent)

    def fileno(self) -> int:
        """Return the connection's descriptor, -1 when it is closed."""
        return self._socket.fileno()

    def saved(self) -> SavedPeer:
        """Return what is known of it."""
        received, unsent = self._received.decode("latin-1"), self._unsent.decode("latin-1")
        more = {"is_kin": self.is_kin}
        return SavedPeer(self.fileno(), received, unsent, self._is_leaving, self._has_spoken, more)

    def restore(self, saved: SavedPeer) -> None:
        """Know again what was known of it."""
        self._received += saved.received.encode("latin-1")
        self._unsent += saved.unsent.encode("latin-1")
        self._is_leaving, self.is_kin = saved.is_leaving, bool(saved.more.get("is_kin"))
        if saved.has_spoken:
            self._mark_heard()
        if self._unsent:
            self._loop.watch(self.fileno(), self._ready, writing=True)

    def dismiss(self, error: DescartesError) -> None:
        """Say why, as far as it goes, and let the peer go."""
        if len(self._unsent) > _PIECE:
            self._unsent.clear()  # it does not read
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
        elif len(self._unsent) > _PIECE:
            self._door.check_held()

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
            piece = self._socket.recv(_AT_ONCE)
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
            self._mark_heard()
            if line.strip():
                self._take(line)
        if len(self._received) > LONGEST_LINE:
            # What still comes is read and thrown away: closing now would take the refusal back.
            self._is_leaving = True
            self._received.clear()
            self.send(refusal(None, TooLarge(f"a request may have {LONGEST_LINE} bytes")))

    def _mark_heard(self) -> None:
        self._has_spoken = True
        self._door.heard(self)

    def _take(self, line: bytes) -> None:
        try:
            call = call_of(parse(line))
        except ProtocolError as error:
            self.send(refusal(None, error))
            return
        self.owed += 1
        answer = Answer(self, call)
        if self.owed > _MOST_OWED:
            answer.refuse(LimitReached(f"{_MOST_OWED} calls of this connection wait for their answers already"))
            return
        answer.by(self._door.take)

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
