"""What must hold of the bus's codec, its link and its tokens, whatever they read."""

from __future__ import annotations

from descartes_core.bus import messages as m
from descartes_core.bus.asked import Answer
from descartes_core.bus.codec import decode, encode
from descartes_core.bus.invitation import Invitation, read_token, write_token
from descartes_core.bus.link import Link, LinkState
from descartes_core.errors import DescartesError, InvalidParams, ProtocolError
from tests.support.bus_messages import ASKED, BY_TYPE, KEY, ONE_OF_EACH

#: Between what happens to a link, and between the frames of one message.
STEP, FRAME = b"|#|", b"|.|"
ME = m.Hello(protocol_version=m.PROTOCOL_VERSION, role="daemon", name="me", generation=1)
ASK = m.SpawnRequest(request_id=ASKED, config=m.AgentConfig())

MESSAGES = tuple(encode(one) for one in ONE_OF_EACH)
TOKEN = write_token(Invitation("tcp://hub:5555", KEY, KEY)).encode()


def _hear(sender: bytes, kind: str) -> bytes:
    return b"r" + FRAME.join([sender, encode(BY_TYPE[kind])])


CONVERSATION = STEP.join(
    [
        b"o",
        _hear(b"", "welcome"),
        b"a",
        b"t",
        _hear(b"big", "output"),
        _hear(b"", "heartbeat"),
        _hear(b"", "peer_update"),
        _hear(b"big", "spawn_response"),
        _hear(b"", "error"),
        b"c",
        b"t",
        b"o",
        _hear(b"", "goodbye"),
    ]
)
WORDS = (STEP, FRAME, b"o", b"t", b"c", b"a", b"r" + FRAME, b"\xc1", b"\xc0", b"\xde\xff\xff", b"\xc6\x7f\xff\xff\xff")


def codec(data: bytes) -> str:
    """Decode: a message that stays as it is, or a refusal in few words."""
    try:
        message = decode(data)
    except ProtocolError as error:
        told = error.message
    else:
        return _same(message)
    assert len(told) < 1000, "an error repeats what it was sent"
    return told


def _same(message: m.Message) -> str:
    written = encode(message)
    assert encode(decode(written)) == written, "what was read is not what is written"
    return f"{type(message)} {sorted(message.model_fields_set)}"


def link(data: bytes) -> str:
    """Let a link live through it: it is never done twice with one request, and comes to rest."""
    one, now, told = Link(ME, random=lambda: 0.5), 0.0, []
    answers = expired = 0
    for step in data.split(STEP)[:100]:
        if step[:1] == b"o" and one.wants_socket is not None:
            one.opened(now)
        elif step[:1] == b"c":
            one.closed(now)
        elif step[:1] == b"a":
            one.forget(ASKED)
            one.ask(ASK, "big", now=now, deadline=now + 30.0)
            answers = expired = 0
        elif step[:1] == b"t":
            now += 7.0
            expired += len(one.tick(now))
            due = one.due()
            assert due is None or due > now, "it turns in a circle"
        elif step[:1] == b"r":
            try:
                came = one.receive(step[1:].split(FRAME), now)
            except ProtocolError as error:
                told.append(error.message[:40])
                came = []
            answers += sum(isinstance(message, Answer) and message.request_id == ASKED for _, message in came)
        assert answers + expired <= 1, "it was answered twice"
        one.frames_to_send()
        told.append(str(one.state))
    assert (one.wants_socket is not None) == (one.state in (LinkState.DISCONNECTED, LinkState.RECONNECTING))
    return " ".join(told[-6:])


def token(data: bytes) -> str:
    """Read a token: one that says the same when it is written again, or a refusal."""
    try:
        found = read_token(data.decode(errors="replace"))
    except InvalidParams as error:
        return error.message
    except DescartesError as error:
        raise AssertionError("another kind of refusal") from error
    assert read_token(write_token(found)) == found
    return "read"
