"""The Unix socket's door: newline-delimited JSON-RPC 2.0, and terminals."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, cast

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InternalError, InvalidParams, InvalidRequest, LimitReached, TooLarge
from descartes_core.guests import Guests
from descartes_core.lines import Lines
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_core.messages.terminals import Attach
from descartes_daemon.attaching import Attaching
from descartes_daemon.background import Background
from descartes_daemon.dispatch import Dispatcher, checked
from descartes_daemon.dumping import reply
from descartes_daemon.unix_terminal import UnixTerminal
from descartes_daemon.visitors import LET_IN_AT_ONCE
from descartes_local.peer import peer_of

_log = logging.getLogger(__name__)

#: Calls of one connection under way at once; a further one is read when one of them is done.
_MOST_AT_ONCE = 64
#: Lines of one connection looked at in one turn of the loop: then it is the turn of others.
_MOST_A_TURN = 16
#: So many of the longest lines may be held half by all connections together.
_HALF_LINES = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What one may ask of the door."""

    connections: int = 1000
    #: Bytes of a line.
    message: int = LARGEST_MESSAGE
    nesting: int = jsonrpc.DEEPEST


class UnixDoor:
    """Who is connected, and what they may call."""

    def __init__(self, dispatcher: Dispatcher, attaching: Attaching, background: Background, limits: Limits) -> None:
        self.dispatcher = dispatcher
        self.attaching = attaching
        self.background = background
        self.limits = limits
        self.connections: Guests[UnixConnection] = Guests(limits.connections)
        #: How many there have been.
        self.connected = 0

    def admit(self, connection: UnixConnection) -> None:
        """Let one in, if need be in the place of one that is idle, or of a process that has more than half of all.

        Raises:
            LimitReached: all are busy.

        """
        if self.connections.is_full:
            leaving = self.connections.longest_idle() or self.connections.of_the_greedy(connection, lambda one: one.pid)
            if leaving is None:
                raise LimitReached(f"{self.limits.connections} connections are busy, which is the limit")
            leaving.dismiss(LimitReached("others needed this place: connect again"))
        self.connected += 1
        self.connections.add(connection)

    def check_held(self) -> None:
        """Let go of whoever holds most when all hold too much of lines that do not end."""
        most = _HALF_LINES * self.limits.message
        while (largest := self.connections.largest(most)) is not None:
            largest.dismiss(TooLarge(f"{most} bytes of unfinished lines are held, which is the limit"))

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Take connections from now on."""
        # create_server rather than create_unix_server: that one removes the socket's file, which is not ours.
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: UnixConnection(self), sock=listening, backlog=LET_IN_AT_ONCE)
        listening.listen(socket.SOMAXCONN)  # that was asyncio's number for both
        return server

    def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self.connections):
            connection.close()


class UnixConnection(asyncio.Protocol):
    """One connection: lines, until `agent.attach` makes a terminal of it."""

    def __init__(self, door: UnixDoor) -> None:
        self._door = door
        self._lines = Lines(door.limits.message)
        self._under_way = 0
        self._terminal: UnixTerminal | None = None
        self._is_attaching = False
        #: Whether the other side leaves its answers lying.
        self._is_stalled = False
        #: Calls that change nothing, and that nobody waits for once the connection is gone.
        self._reads: set[asyncio.Task[None]] = set()
        #: Whether its next turn is arranged.
        self._is_due = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Check who it is."""
        self._transport = cast("asyncio.Transport", transport)
        peer = peer_of(transport.get_extra_info("socket"))
        self._client, self.pid = f"pid {peer.pid}", peer.pid
        if not peer.may_come_in:
            self._transport.abort()
            return
        try:
            self._door.admit(self)
        except LimitReached as error:
            self.dismiss(error)

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way, and it is no terminal; answers that it does not take count for nothing."""
        return not self._under_way and not self._is_due and self._terminal is None

    @property
    def held(self) -> int:
        """How many bytes of an unfinished line or frame are kept for it."""
        return len(self._lines) + (self._terminal.held if self._terminal else 0)

    def dismiss(self, error: DescartesError) -> None:
        """Say why, and close; who takes nothing is not waited for."""
        self._door.connections.remove(self)
        if self._terminal is None:  # between frames a line would be none
            self._transport.write(jsonrpc.refusal(None, error))
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take lines, or a terminal's frames."""
        if self._terminal is not None:
            self._receive_frames(data)
        else:
            self._lines.feed(data)
            self._take_lines()
        if self.held > self._door.limits.message // 16:
            self._door.check_held()

    @property
    def _may_take(self) -> bool:
        """Whether a further line is to be looked at now."""
        busy = self._is_attaching or self._under_way >= _MOST_AT_ONCE or self._is_stalled or self._terminal is not None
        return not (busy or self._door.dispatcher.is_held or self._transport.is_closing())

    def _take_lines(self) -> None:
        for _ in range(_MOST_A_TURN):
            if not self._may_take:
                break
            try:
                line = self._lines.next()
            except TooLarge as error:
                self._refuse(None, error)
                continue
            if line is None:
                self._transport.resume_reading()
                return
            self._door.connections.heard(self)
            self._take(line)
        else:
            if not self._is_due:
                self._is_due = True
                asyncio.get_running_loop().call_soon(self._take_turn)
        if self._terminal is None:
            self._transport.pause_reading()

    def _take_turn(self) -> None:
        self._is_due = False
        self._take_lines()

    def _take_again(self) -> None:
        """Go on with what was held back, once there is room for it."""
        if self._may_take:
            self._take_lines()

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        call: jsonrpc.Call | None = None
        value: Any = None
        try:
            value = jsonrpc.parse(line, deepest=self._door.limits.nesting)
            call = jsonrpc.call_of(value)
            if call.method == "agent.attach":
                self._begin_attaching(call)
                return
            answer = self._door.dispatcher.call(call.method, call.params, client=self._client)
            if isinstance(answer, dict):
                self._answer(call, answer)
            else:
                self._start(self._answer_later(call, answer), call)
        except InvalidParams as error:
            # Parameters without names: a request all the same, and its id is known.
            self._refuse(call or jsonrpc.Call("", {}, value.get("id"), "id" not in value), error)
        except DescartesError as error:
            self._refuse(call, error)
        except Exception:  # the edge: a fault of ours is told in the log, and ends nothing else
            _log.exception("%s failed", call.method if call else "a request")
            self._refuse(call, InternalError())

    def _start(self, work: Coroutine[Any, Any, None], call: jsonrpc.Call) -> None:
        self._under_way += 1
        task = self._door.background.start(self._guarded(call, work), f"{call.method} for {self._client}")
        if self._door.dispatcher.is_read(call.method):
            self._reads.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way -= 1
        self._reads.discard(task)
        self._take_again()

    async def _guarded(self, call: jsonrpc.Call, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except DescartesError as error:
            self._refuse(call, error)
        except Exception:  # the edge, for what is awaited
            _log.exception("%s failed", call.method)
            self._refuse(call, InternalError())

    async def _answer_later(self, call: jsonrpc.Call, answer: Coroutine[Any, Any, dict[str, Any]]) -> None:
        self._answer(call, await answer)

    def _begin_attaching(self, call: jsonrpc.Call) -> None:
        if self._under_way:
            raise InvalidRequest("attach when no other call of this connection is under way: frames follow its answer")
        self._is_attaching = True  # what comes behind it are frames, or lines if it is refused
        self._start(self._attach(call), call)

    async def _attach(self, call: jsonrpc.Call) -> None:
        try:
            request = cast("Attach", checked(call.method, call.params))
            attachment = await self._door.attaching.attach(request, self._client)
        finally:
            self._is_attaching = False
        if self._transport.is_closing():
            attachment.close()
            return
        self._answer(call, {"agent": attachment.info()})
        self._terminal = UnixTerminal(self._transport, attachment, self._door.background)
        if self._is_stalled:
            self._terminal.paused()
        self._terminal.begin()
        self._transport.resume_reading()
        self._receive_frames(self._lines.rest())

    def _receive_frames(self, data: bytes) -> None:
        assert self._terminal is not None, "frames are read only when attached"
        try:
            self._terminal.receive(data)
        except DescartesError as error:
            _log.info("%s sent no frame: %s", self._client, error)
            self.close()

    def _answer(self, call: jsonrpc.Call, result: dict[str, Any]) -> None:
        if not call.is_notification and not self._transport.is_closing():
            self._transport.write(reply(call.id, result))

    def _refuse(self, call: jsonrpc.Call | None, error: DescartesError) -> None:
        if (call is None or not call.is_notification) and not self._transport.is_closing():
            self._transport.write(jsonrpc.refusal(call.id if call else None, error))

    def pause_writing(self) -> None:
        """Stop what flows: the other side takes nothing."""
        self._is_stalled = True
        if self._terminal is not None:
            self._terminal.paused()

    def resume_writing(self) -> None:
        """Let it flow again."""
        self._is_stalled = False
        if self._terminal is not None:
            self._terminal.resumed()
        else:
            self._take_again()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Let go; changes that were asked for are made all the same."""
        self._door.connections.remove(self)
        for read in self._reads:
            read.cancel()
        if self._terminal is not None:
            self._terminal.close()

    def close(self) -> None:
        """Close it, once what was written has left."""
        self._transport.close()
