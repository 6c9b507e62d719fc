"""What comes in by the ROUTER: forwarded, answered, or counted."""

from __future__ import annotations

import time
from typing import Protocol

import zmq

from descartes_core.bus.codec import decode, encode
from descartes_core.bus.link import GREET
from descartes_core.bus.messages import LARGEST, Goodbye, Message, Problem, Request
from descartes_core.bus.wire import LONGEST_NAME, unfolded
from descartes_core.errors import DescartesError, Forbidden, ProtocolError, TooLarge, Unauthorized, Unavailable
from descartes_orchestrator.hub.bucket import Bucket
from descartes_orchestrator.hub.enrolment import Enrolled, Enrolment, Invited
from descartes_orchestrator.hub.mail import Mail
from descartes_orchestrator.hub.rights import MAY_SEND, OF_CLIENTS, refusal
from descartes_orchestrator.hub.roll import Connection, Roll
from descartes_orchestrator.hub.router import Router, Sent
from descartes_orchestrator.hub.tally import Tally

#: Bytes on their way to somebody who has not said a word meanwhile, not even a heartbeat.
MOST_UNHEARD = 64 * 1024 * 1024
#: What is said to the hub itself is short; values of what a client says to a daemon, which the hub reads too: while it
#: does that, everybody waits.
_LONGEST_WORD, _MOST_VALUES = 64 * 1024, 100_000
#: Answers to keys that are not enrolled any more, all together: in a row, and a second.
_STRANGERS_IN_A_ROW, _STRANGERS_A_SECOND = 200.0, 100.0


class Answerer(Protocol):
    """Who speaks for the hub itself."""

    def take(self, sender: Connection, message: Message) -> None:
        """Do what somebody asked of the hub."""

    def enroll(self, route: bytes, invited: Invited, message: Message) -> None:
        """Do what somebody asked by an invitation's key."""


class Exchange:
    """Takes each message that came."""

    def __init__(self, enrolment: Enrolment, roll: Roll, mail: Mail, tally: Tally, router: Router) -> None:
        self._enrolment, self._roll, self._mail, self._tally = enrolment, roll, mail, tally
        self._router = router
        self._strangers = Bucket(_STRANGERS_A_SECOND, _STRANGERS_IN_A_ROW, _STRANGERS_IN_A_ROW)
        #: Set by who puts the hub together.
        self.hub: Answerer

    def take(self, route: bytes, key: str, frames: list[zmq.Frame]) -> None:
        """Forward it, answer it, or count it."""
        now = self._mail.now = time.monotonic()
        tally = self._tally
        tally.messages += 1
        sender = self._roll.by_route.get(route)
        if sender is None or sender.who.key != key:
            who = self._enrolment.get(key)
            if who is None:
                self._take_of_stranger(route, key, frames)
                return
            if sender is not None:
                self._roll.disconnect(sender)
            sender = self._roll.connect(route, who, now)
        sender.heard, sender.unheard, sender.is_req = now, 0, False
        if len(frames) == 2 and len(frames[0]):
            self._forward(sender, frames[0].bytes, frames[1])
        else:
            self._take_rest(sender, frames)

    def _take_rest(self, sender: Connection, frames: list[zmq.Frame]) -> None:
        try:
            named, body, sender.is_req = unfolded(frames)
        except ProtocolError as error:
            self._mail.complain(sender, error)
            return
        to = b"" if named is None else named.bytes
        if to:
            self._forward(sender, to, body)
        else:
            self._take_own(sender, body)

    def _take_own(self, sender: Connection, body: zmq.Frame) -> None:
        request_id = None
        try:
            self._tally.bytes += len(body)
            largest = LARGEST if sender.who.role == "client" else _LONGEST_WORD
            message = decode(body.buffer, largest=largest, most_values=_MOST_VALUES)
            request_id = _id_of(message)
            self.hub.take(sender, message)
        except DescartesError as error:
            self._mail.complain(sender, error, request_id=request_id)

    def forward_to(self, sender: Connection, target: Connection, body: bytes, message: Message) -> None:
        """Forward what a client asked of nobody by name."""
        self._send(sender, target, body, _id_of(message))

    def _forward(self, sender: Connection, to: bytes, body: zmq.Frame) -> None:
        role = sender.who.role
        if sender.present is None and role != "client":
            self._mail.dismiss(sender, "say hello first", GREET)
            return
        target = self._roll.by_address.get(to)
        request_id: str | None = None
        try:
            if len(body) > LARGEST:
                raise TooLarge(f"a message of {len(body)} bytes is more than the {LARGEST} that the bus takes")
            if role == "client":
                request_id = _checked(body)
            if target is None:
                target = self._roll.find(_name(to), self._enrolment, by_title=role == "client")
            if (role, target.who.role) not in MAY_SEND:
                raise Forbidden(refusal(role, target.who.role))
            self._send(sender, target, body, request_id)
        except DescartesError as error:
            self._complain_of(sender, to, error, request_id)

    def _send(self, sender: Connection, target: Connection, body: zmq.Frame | bytes, request_id: str | None) -> None:
        size = len(body)
        target.unheard += size
        if target.unheard > MOST_UNHEARD:
            target.unheard -= size
            sent = Sent.FULL
        else:
            sent = self._router.send(target.route, b"" if target.is_req else sender.address, body)
        if sent is Sent.WELL:
            self._tally.forwarded += 1
            self._tally.forwarded_bytes += size
            return
        self._tally.unreachable += 1
        name = target.address.decode()
        if sent is Sent.GONE and target.present is None:
            self._roll.disconnect(target)  # a client that has left
        why = "does not read, and enough is waiting for it" if sent is Sent.FULL else "is not connected now"
        self._complain_of(sender, target.address, Unavailable(f"{name} {why}"), request_id)

    def _complain_of(self, sender: Connection, to: bytes, error: DescartesError, request_id: str | None) -> None:
        self._mail.complain(sender, error, request_id=request_id, addressee=to[:200].decode(errors="replace"))

    def _take_of_stranger(self, route: bytes, key: str, frames: list[zmq.Frame]) -> None:
        """Hear an invitation's key; whoever else comes here was let in before its key was taken back."""
        if not self._strangers.takes(self._mail.now):
            self._tally.dropped += 1
            return
        try:
            invited = self._enrolment.invited(key)
            if invited is None:
                raise Unauthorized("this key is not enrolled, or not any more")
            _, body, _ = unfolded(frames)
            self.hub.enroll(route, invited, decode(body.buffer, largest=_LONGEST_WORD))
        except DescartesError as error:
            self._tally.problems += 1
            self._mail.post(route, encode(Problem(code=error.code, error=error.message[:1000])))

    def forget(self, who: Enrolled) -> None:
        """Let go of every connection with a key that is taken back, and tell it."""
        for connection in [one for one in self._roll.by_route.values() if one.who.key == who.key]:
            self._mail.say(connection, Goodbye(reason=f"{who.name} is not enrolled any more", code="unauthorized"))
            self._roll.disconnect(connection)


def _name(to: bytes) -> str:
    try:
        return to[:LONGEST_NAME].decode()
    except UnicodeDecodeError:
        raise ProtocolError("a name is UTF-8") from None


def _id_of(message: Message) -> str | None:
    return message.request_id if isinstance(message, Request) else None


def _checked(body: zmq.Frame) -> str | None:
    """Return the request's id of what a client sends to a daemon.

    Raises:
        ProtocolError: it is nonsense.
        Forbidden: it is not for clients to say.

    """
    message = decode(body.buffer, most_values=_MOST_VALUES)
    if not isinstance(message, OF_CLIENTS):
        raise Forbidden(f"a client does not send {message.type}")
    return _id_of(message)
