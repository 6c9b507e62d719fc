"""Output under credit: read when it can go, so that slowness is kept by nobody."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from descartes_core.bus.link import LinkState
from descartes_core.bus.messages import LARGEST_PIECE, Credit, Message, Output, Peer, Problem, StreamName
from descartes_daemon.agent import Agent
from descartes_daemon.bus.dealer import Bus
from descartes_daemon.output_log import OutputLog

#: So long pieces are read and sent in one turn of the loop (seconds).
_SLICE = 0.002
#: Who has got all there was gets what comes next at once, and what follows within this together (seconds): a flood in
#: large pieces takes a quarter of the time, and a key's echo waits for nothing.
_GATHERED = 0.004


@dataclass(slots=True, eq=False)
class _Stream:
    """One stream of one agent, to one peer."""

    to: str
    agent_id: str
    name: StreamName
    log: OutputLog
    #: Where the next piece begins, and where credit ends.
    offset: int
    until: int
    #: From where its receiver asked last.
    asked: int
    is_in_line: bool = False
    #: When it had all there was (monotonic), and who waits for more of what comes.
    sent_at: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Streams:
    """Sends each receiver as much as it gave credit for, one piece of each stream in turn."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: dict[tuple[str, str, str], _Stream] = {}
        self._following: dict[_Stream, _Follower] = {}
        self._line: deque[_Stream] = deque()
        self._is_called = False
        bus.subscribe(
            on_message=self._heard, on_peer=self._peer_moved, on_state=self._state_changed, on_room=self._call
        )

    def __len__(self) -> int:
        return len(self._known)

    def credit(self, to: str, agent: Agent, credit: Credit) -> None:
        """Go on from where a receiver is, as far as it says.

        Raises:
            NotHere: the agent has no such stream.

        """
        key = (to, agent.id, credit.stream)
        stream = self._known.get(key)
        if stream is None:
            log = agent.stream(credit.stream)
            stream = _Stream(to, agent.id, credit.stream, log, credit.offset, credit.until, credit.offset)
            self._known[key] = stream
        elif credit.offset > stream.offset or credit.offset <= stream.asked:
            # It has what we did not send, or has come no further since it last asked: what was sent then is lost.
            stream.offset = credit.offset
        stream.asked, stream.until = credit.offset, credit.until
        self._stand_in_line(stream)

    def forget(self, agent: Agent) -> None:
        """Give up the streams of an agent of which nothing is left to be told."""
        for stream in [one for one in self._known.values() if one.agent_id == agent.id]:
            self._drop(stream)

    def close(self) -> None:
        """Give up all."""
        for stream in list(self._known.values()):
            self._drop(stream)

    def _peer_moved(self, peer: Peer) -> None:
        # What was on its way may be lost: who comes back says where it is.
        for stream in [one for one in self._known.values() if one.to == peer.name]:
            if peer.state != "connected":
                self._drop(stream)

    def _heard(self, sender: str, message: Message) -> None:
        """Hear of the hub that a piece reached nobody: who still wants it says where it is."""
        if not sender and isinstance(message, Problem) and message.to is not None:
            for stream in [one for one in self._known.values() if one.to == message.to]:
                self._drop(stream)

    def _state_changed(self, state: LinkState) -> None:
        if state is not LinkState.CONNECTED:
            self.close()

    def _drop(self, stream: _Stream) -> None:
        self._unfollow(stream)
        if stream.timer is not None:
            stream.timer.cancel()
            stream.timer = None
        self._known.pop((stream.to, stream.agent_id, stream.name), None)
        stream.until = -1

    def _grown(self, stream: _Stream) -> None:
        """Stand in line where there is enough to be sent, or nothing was for a while; else a moment later."""
        wait = stream.sent_at + _GATHERED - time.monotonic()
        if wait <= 0 or stream.log.is_ended or stream.log.size - stream.offset >= LARGEST_PIECE:
            self._stand_in_line(stream)
        elif stream.timer is None:
            stream.timer = asyncio.get_running_loop().call_later(wait, self._stand_in_line, stream)

    def _stand_in_line(self, stream: _Stream) -> None:
        if stream.timer is not None:
            stream.timer.cancel()
            stream.timer = None
        if not stream.is_in_line:
            stream.is_in_line = True
            self._line.append(stream)
        self._call()

    def _call(self) -> None:
        if not self._is_called and self._line and not self._bus.is_congested:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        """Serve who stands in line, until there is no room, or others want their turn."""
        self._is_called = False
        ends = time.monotonic() + _SLICE
        while self._line and not self._bus.is_congested:
            stream = self._line.popleft()
            stream.is_in_line = False
            if stream.until >= 0 and self._send_piece(stream):
                stream.is_in_line = True
                self._line.append(stream)
            if time.monotonic() > ends:
                break
        self._call()

    def _send_piece(self, stream: _Stream) -> bool:
        """Send the next piece; say whether there is one more to be sent now."""
        log, why = stream.log, None
        begin = stream.offset
        while (gap := log.gap(begin)) is not None:
            begin, why = gap.end, why or gap.reason
        data = log.read(begin, min(LARGEST_PIECE, stream.until - begin)) if begin < stream.until else b""
        if not data and begin < min(stream.until, log.size):
            begin, why = log.size, why or "it is not in the log any more"
        end = begin + len(data)
        is_last = log.is_ended and end >= log.size
        if data or why is not None or is_last:
            piece = Output(
                agent_id=stream.agent_id, stream=stream.name, offset=begin, data=data, gap=why, is_last=is_last
            )
            if not self._bus.tell(piece, stream.to):
                self._drop(stream)
                return False
            stream.offset = end
        if is_last:
            self._drop(stream)
            return False
        if end >= log.size:
            stream.sent_at = time.monotonic()
        if end < stream.until and end >= log.size:
            self._follow(stream)
            return False
        self._unfollow(stream)
        return end < stream.until

    def _follow(self, stream: _Stream) -> None:
        if stream not in self._following:
            follower = self._following[stream] = _Follower(self, stream)
            stream.log.followers.add(follower)

    def _unfollow(self, stream: _Stream) -> None:
        if (follower := self._following.pop(stream, None)) is not None:
            stream.log.followers.discard(follower)


class _Follower:
    """Called when a log that somebody waits for has grown, or has ended."""

    def __init__(self, streams: Streams, stream: _Stream) -> None:
        self._streams, self._stream = streams, stream

    def __call__(self) -> None:
        self._streams._grown(self._stream)
