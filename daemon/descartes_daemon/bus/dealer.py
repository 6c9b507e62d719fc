"""The DEALER: sockets and clock around the link, which has the rules."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from descartes_core.bus.asked import is_answer
from descartes_core.bus.link import Expired, Link, LinkState
from descartes_core.bus.messages import Hello, Message, Peer, PeerUpdate, Problem, Request, Welcome
from descartes_core.errors import DeadlineOver, ProtocolError, Unavailable, from_wire
from descartes_daemon.bus.connection import Connection
from descartes_local.bus_file import BusFile, Keys

_log = logging.getLogger(__name__)

#: What was read is acted upon for so long in one turn of the loop; then others have theirs.
_SLICE = 0.002
#: Messages that wait for a slow hub; what is asked is asked again anyway.
MOST_WAITING = 10_000

OnMessage = Callable[[str, Message], None]
OnPeer = Callable[[Peer], None]
OnState = Callable[[LinkState], None]


class Bus:
    """One peer of the hub."""

    def __init__(self, me: Hello, told: BusFile, keys: Keys) -> None:
        self.told = told
        self.link = Link(me, random=random.random)
        #: What a heartbeat tells: the arguments of `Link.report`.
        self.doing: Callable[[], dict[str, Any]] = dict
        #: Whether others are told that we leave: not where the next daemon goes on at once.
        self.says_goodbye = True
        #: Whether something waits for a slow hub: then make no more of what can wait; `on_room` tells the end.
        self.is_congested = False
        self._keys = keys
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._connection: Connection | None = None
        self._unsent: deque[list[bytes]] = deque()
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._on_message: list[OnMessage] = []
        self._on_peer: list[OnPeer] = []
        self._on_state: list[OnState] = []
        self._on_room: list[Callable[[], None]] = []
        self._told_state = self.link.state

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Who is there, as the hub last told."""
        return self.link.peers

    @property
    def state(self) -> LinkState:
        """How we stand to the hub."""
        return self.link.state

    @property
    def welcome(self) -> Welcome | None:
        """What the hub last greeted us with."""
        return self.link.welcome

    def subscribe(
        self,
        *,
        on_message: OnMessage | None = None,
        on_peer: OnPeer | None = None,
        on_state: OnState | None = None,
        on_room: Callable[[], None] | None = None,
    ) -> None:
        """Call these, in the loop: of a message all are told; of peers after each news and each welcome."""
        self._on_message += [on_message] if on_message is not None else []
        self._on_peer += [on_peer] if on_peer is not None else []
        self._on_state += [on_state] if on_state is not None else []
        self._on_room += [on_room] if on_room is not None else []

    async def ask(self, message: Request, to: str = "", *, timeout: float) -> Message:
        """Return the answer, however often it must be asked for.

        A refusal that carries data (a conflict) is returned as it is.

        Raises:
            DeadlineOver: nobody answered in time; it may have been done.
            Unavailable: the hub will not have us.
            DescartesError: it was refused; the class that its code names.

        """
        if self.state is LinkState.FAILED:
            raise Unavailable(f"no connection with the hub: {self.link.failure}")
        now = time.monotonic()
        self._give_up(message.request_id, Unavailable("the same was asked once more, and that is waited for"))
        answer = self._answers[message.request_id] = asyncio.get_running_loop().create_future()
        try:
            self.link.ask(message, to, now=now, deadline=now + timeout)
            self._turn()
            return _checked(await answer)
        finally:
            if self._answers.get(message.request_id) is answer:
                del self._answers[message.request_id]
                self.link.forget(message.request_id)

    def tell(self, message: Message, to: str = "") -> bool:
        """Send it once, now; False where nobody is connected, or too much waits."""
        if len(self._unsent) >= MOST_WAITING or not self.link.tell(message, to, now=time.monotonic()):
            return False
        self._flush()
        return True

    def set_pace(self, secs: float | None) -> None:
        """Beat only each `secs`, or (None) as often as the hub asks for."""
        self.link.set_pace(secs, time.monotonic())
        self._turn()

    def look_again(self) -> None:
        """Tell the hub at once what we do, or try at once to reach it."""
        if self.link.wants_socket is not None:
            self.link.wants_socket = time.monotonic()
        self.link.report(time.monotonic(), **self.doing())
        self._turn()

    def rename(self, title: str) -> None:
        """Be called otherwise: said with a greeting, and so on a fresh connection."""
        self.link.me = self.link.me.model_copy(update={"title": title})
        self.link.closed(time.monotonic(), "its session has another name")
        self._turn()

    async def tried(self) -> None:
        """Wait until it is known whether the hub can be reached."""
        settled = asyncio.Event()
        self._on_state.append(settle := lambda state: None if state is LinkState.CONNECTING else settled.set())
        try:
            if self.state in (LinkState.CONNECTING, LinkState.DISCONNECTED):
                await settled.wait()
        finally:
            self._on_state.remove(settle)

    async def run(self) -> None:
        """Belong to the bus until cancelled."""
        self._context = zmq.Context()
        try:
            self._turn()
            await asyncio.get_running_loop().create_future()
        finally:
            self._leave()
            # Behind what is still to be sent; the loop does not wait for a hub that reads nothing.
            await asyncio.shield(asyncio.to_thread(self._context.term))

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.says_goodbye:
            self.link.leave(time.monotonic())
            self._flush()
        if self._connection is not None:
            self._connection.close(linger=self.says_goodbye)
            self._connection = None
        for request_id in self._answers:
            self._give_up(request_id, Unavailable("this daemon leaves the bus"))

    def _give_up(self, request_id: str, why: Unavailable) -> None:
        answer = self._answers.get(request_id)
        if answer is not None and not answer.done():
            answer.set_exception(why)

    def _turn(self) -> None:
        """Do what is due, send what is to be sent, and wake up when the next is due."""
        if self._context is None or self._context.closed:
            return
        now = time.monotonic()
        if (due := self.link.due()) is not None and due <= now:
            self.link.report(now, **self.doing())
            for expired in self.link.tick(now):
                self._expire(expired)
        self._keep_connection(now)
        self._flush()
        self._tell_state()
        self._arm()

    def _keep_connection(self, now: float) -> None:
        if self._connection is not None and self.state not in (LinkState.CONNECTING, LinkState.CONNECTED):
            self._connection.close(linger=False)
            self._connection, self.is_congested = None, False
            self._unsent.clear()
        wanted = self.link.wants_socket
        if self._connection is None and wanted is not None and now >= wanted:
            assert self._context is not None, "who keeps connections runs"
            try:
                self._connection = Connection(self._context, self.told, self._keys, self._news, self._closed)
            except zmq.ZMQError as error:
                self.link.opened(now)
                self.link.closed(now, f"{self.told.hub} cannot be used: {error}")
            else:
                self.link.opened(now)

    def _arm(self) -> None:
        times = [self.link.due(), self.link.wants_socket if self._connection is None else None]
        due = min((time for time in times if time is not None), default=None)
        if self._timer is not None:
            if due is not None and self._timer.when() <= due:
                return  # it comes sooner, and then is armed anew
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._turn()

    def _flush(self) -> None:
        self._unsent.extend(self.link.frames_to_send())
        if self._connection is None or not self._unsent:
            return
        while self._unsent and self._connection.send(self._unsent[0]):
            self._unsent.popleft()
        self._connection.look_again(zmq.POLLIN | zmq.POLLOUT if self._unsent else zmq.POLLIN)
        was_congested, self.is_congested = self.is_congested, bool(self._unsent)
        if was_congested and not self.is_congested:
            for on_room in self._on_room:
                on_room()

    def _news(self, events: int) -> None:
        """Take what came, for a while; the rest in the next turn."""
        if events & zmq.POLLIN:
            ends = time.monotonic() + _SLICE
            while (connection := self._connection) is not None and (frames := connection.receive()) is not None:
                self._receive(frames)
                if time.monotonic() > ends:
                    connection.look_again(zmq.POLLIN)
                    break
            self._turn()
        elif self._unsent and events & zmq.POLLOUT:
            self._flush()

    def _closed(self, why: str) -> None:
        self.link.closed(time.monotonic(), why)
        self._turn()

    def _receive(self, frames: list[bytes]) -> None:
        try:
            came = self.link.receive(frames, time.monotonic())
        except ProtocolError as error:
            _log.debug("nonsense from the hub: %s", error)
            return
        self._tell_state()
        for sender, message in came:
            try:
                self._act(sender, message)
            except Exception:  # what one message does must not keep the next one from being read
                _log.exception("%s of %s", type(message).__name__, sender or "the hub")

    def _act(self, sender: str, message: Message) -> None:
        if is_answer(message) and (answer := self._answers.get(message.request_id or "")) is not None:
            if not answer.done():
                answer.set_result(message)
            return
        if isinstance(message, PeerUpdate | Welcome):
            for peer in message.peers if isinstance(message, Welcome) else (message.peer,):
                for on_peer in self._on_peer:
                    on_peer(peer)
            return
        for on_message in self._on_message:
            on_message(sender, message)

    def _expire(self, expired: Expired) -> None:
        why = "" if self.state is LinkState.CONNECTED else f" ({self.state}: {self.link.failure})"
        self._give_up(expired.request_id, DeadlineOver(f"{expired.to or 'the hub'} did not answer in time{why}"))

    def _tell_state(self) -> None:
        if self.state is not self._told_state:
            self._told_state = self.state
            for on_state in tuple(self._on_state):
                on_state(self.state)


def _checked(answer: Message) -> Message:
    """Return an answer unless it refuses.

    Raises:
        DescartesError: it does; the class that its code names.

    """
    code, error = getattr(answer, "code", None), getattr(answer, "error", None)
    is_refusal = isinstance(answer, Problem) or code is not None or not (getattr(answer, "success", True) or not error)
    if is_refusal and getattr(answer, "data", None) is None:
        raise from_wire(code or "error", error or "it was refused")
    return answer
