"""The Unix socket's door: newline-delimited JSON-RPC 2.0, and terminals."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import sys
from collections.abc import Coroutine
from typing import Any, cast

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InternalError, InvalidRequest, LimitReached, TooLarge
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_core.messages.terminals import Attach
from descartes_daemon.agents import Agents
from descartes_daemon.attachment import Attachment
from descartes_daemon.background import Background
from descartes_daemon.dispatch import Dispatcher, checked

_log = logging.getLogger(__name__)

#: Calls of one connection under way at once; a further one is read when one of them is done.
_MOST_AT_ONCE = 64
#: struct ucred: pid, uid, gid (unix(7)).
_UCRED = struct.Struct("3i")


class UnixDoor:
    """Who is connected, and what they may call."""

    def __init__(self, dispatcher: Dispatcher, agents: Agents, background: Background, most: int) -> None:
        self.dispatcher = dispatcher
        self.agents = agents
        self.background = background
        self.most = most
        self.connections: set[UnixConnection] = set()

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Take connections from now on."""
        # create_server rather than create_unix_server: that one removes the socket's file, which is not ours.
        return await asyncio.get_running_loop().create_server(lambda: UnixConnection(self), sock=listening)

    def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self.connections):
            connection.close()


class UnixConnection(asyncio.Protocol):
    """One connection: lines, until `agent.attach` makes a terminal of it."""

    def __init__(self, door: UnixDoor) -> None:
        self._door = door
        self._received = bytearray()
        self._under_way = 0
        self._attachment: Attachment | None = None
        self._is_attaching = False
        #: Whether the other side leaves its answers lying.
        self._is_stalled = False
        #: Whether this is still the line that was refused as too long.
        self._is_skipping = False
        #: How much of what was received is known to hold no line end.
        self._searched = 0
        self._client = "unix"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Check who it is."""
        self._transport = cast("asyncio.Transport", transport)
        pid, uid = _peer(transport.get_extra_info("socket"))
        self._client = f"pid {pid}"
        if uid not in (os.getuid(), 0):
            self._transport.abort()
        elif len(self._door.connections) >= self._door.most:
            error = LimitReached(f"{self._door.most} connections are open, which is the limit")
            self._transport.write(jsonrpc.refusal(None, error))
            self._transport.close()
        else:
            self._door.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take lines, or a terminal's frames."""
        if self._attachment is not None:
            self._receive_frames(data)
            return
        if self._is_skipping:
            _, end, data = data.partition(b"\n")
            self._is_skipping = not end
        self._received += data
        self._take_lines()

    @property
    def _may_take(self) -> bool:
        """Whether a further line is to be looked at now."""
        busy = self._is_attaching or self._is_stalled or self._under_way >= _MOST_AT_ONCE
        return not busy and self._attachment is None and not self._transport.is_closing()

    def _take_lines(self) -> None:
        while self._may_take:
            end = self._received.find(b"\n", self._searched)
            if end < 0:
                self._searched = len(self._received)
                break
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._searched = 0
            self._take(line)
        if self._searched > LARGEST_MESSAGE:
            self._refuse(None, TooLarge(f"a line may have {LARGEST_MESSAGE} bytes"))
            self._received.clear()
            self._searched, self._is_skipping = 0, True
        elif not self._may_take and self._attachment is None:
            self._transport.pause_reading()

    def _take_again(self) -> None:
        """Go on with what was held back, once there is room for it."""
        if self._may_take:
            self._transport.resume_reading()
            self._take_lines()

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        call: jsonrpc.Call | None = None
        try:
            if len(line) > LARGEST_MESSAGE:
                raise TooLarge(f"a line may have {LARGEST_MESSAGE} bytes")
            call = jsonrpc.call_of(jsonrpc.parse(line))
            if call.method == "agent.attach":
                self._begin_attaching(call)
                return
            answer = self._door.dispatcher.call(call.method, call.params, client=self._client)
            if isinstance(answer, dict):
                self._answer(call, answer)
            else:
                self._start(self._answer_later(call, answer), call)
        except DescartesError as error:
            self._refuse(call, error)
        except Exception:  # the edge: a fault of ours is told in the log, and ends nothing else
            _log.exception("%s failed", call.method if call else "a request")
            self._refuse(call, InternalError())

    def _start(self, work: Coroutine[Any, Any, None], call: jsonrpc.Call) -> None:
        self._under_way += 1
        task = self._door.background.start(self._guarded(call, work), f"{call.method} for {self._client}")
        task.add_done_callback(self._done)

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._under_way -= 1
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
            agent = await self._door.agents.find(request.agent_id)
            attachment = Attachment(self._transport, agent, self._door.agents, request, self._client)
        finally:
            self._is_attaching = False
        if self._transport.is_closing():
            return
        self._answer(call, {"agent": agent.info()})
        self._attachment = attachment
        attachment.begin()
        received, self._received = bytes(self._received), bytearray()
        self._transport.resume_reading()
        self._receive_frames(received)

    def _receive_frames(self, data: bytes) -> None:
        assert self._attachment is not None, "frames are read only when attached"
        try:
            self._attachment.receive(data)
        except DescartesError as error:
            _log.info("%s sent no frame: %s", self._client, error)
            self.close()

    def _answer(self, call: jsonrpc.Call, reply: dict[str, Any]) -> None:
        if not call.is_notification:
            self._transport.write(jsonrpc.reply(call.id, reply))

    def _refuse(self, call: jsonrpc.Call | None, error: DescartesError) -> None:
        if call is None or not call.is_notification:
            self._transport.write(jsonrpc.refusal(call.id if call else None, error))

    def pause_writing(self) -> None:
        """Stop what flows: the other side takes nothing."""
        self._is_stalled = True
        if self._attachment is not None:
            self._attachment.paused()

    def resume_writing(self) -> None:
        """Let it flow again."""
        self._is_stalled = False
        if self._attachment is not None:
            self._attachment.resumed()
        else:
            self._take_again()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Let go; what was asked for is done all the same."""
        self._door.connections.discard(self)
        if self._attachment is not None:
            self._attachment.close()

    def close(self) -> None:
        """Close it, once what was written has left."""
        self._transport.close()


def _peer(connection: Any) -> tuple[int, int]:
    """Return pid and uid of the other side; the kernel says so."""
    if sys.platform == "linux":
        pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return pid, uid
    return 0, os.getuid()  # the socket's directory lets nobody else in
