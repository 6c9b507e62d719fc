"""Whatever comes, in whatever order, how often and when: a link neither hangs nor believes it."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from descartes_core.bus import messages as m
from descartes_core.bus.asked import ANSWER_TO
from descartes_core.bus.codec import decode, encode
from descartes_core.bus.link import FOR_GOOD, Link, LinkState
from descartes_core.errors import ProtocolError
from tests.support.bus_messages import ONE_OF_EACH

NAMES = ("", "big", "small", "laptop/1")
BODIES = [encode(one) for one in ONE_OF_EACH]
REQUESTS = [one for one in ONE_OF_EACH if type(one) in ANSWER_TO and isinstance(one, m.Request)]
#: What a state may be followed by within one call.
MAY_FOLLOW = {
    LinkState.DISCONNECTED: {LinkState.CONNECTING},
    LinkState.CONNECTING: {LinkState.CONNECTED, LinkState.RECONNECTING, LinkState.FAILED, LinkState.DISCONNECTED},
    LinkState.CONNECTED: set(LinkState),
    LinkState.RECONNECTING: {LinkState.CONNECTING, LinkState.DISCONNECTED},
    LinkState.FAILED: set[LinkState](),
}


class Conversations(RuleBasedStateMachine):
    """A link, and everybody at the other end of the wire."""

    @initialize(seed=st.integers(0, 1000), role=st.sampled_from(["daemon", "runner", "client"]))
    def begin(self, seed: int, role: str) -> None:
        fields = {"protocol_version": "1.0.0", "role": role, "name": "me", "generation": 1}
        self.link = Link(m.Hello.model_validate(fields), random=random.Random(seed).random)
        self.now = 0.0
        self.was = self.link.state
        self.numbers = 0
        #: What was asked and is not settled: by request.
        self.open: dict[str, tuple[str, m.Request]] = {}
        self.sent: list[list[bytes]] = []

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        """Let time pass, and do all that is due: it must come to an end."""
        until = self.now + seconds
        for _ in range(1000):
            due = self.link.due()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            for expired in self.link.tick(self.now):
                assert self.open.pop(expired.request_id)[0] == expired.to
            self._follow()
            after = self.link.due()
            assert after is None or after > due, "it turns in a circle"
        else:
            raise AssertionError("it is never done")
        self.now = until

    @precondition(lambda self: self.link.wants_socket is not None)
    @rule()
    def open_socket(self) -> None:
        assert self.link.wants_socket is not None
        self.now = max(self.now, self.link.wants_socket)
        self.link.opened(self.now)
        frames = self.link.frames_to_send()
        assert [decode(body) for (body,) in frames] == [self.link.me]
        self._follow()

    @rule()
    def close(self) -> None:
        self.link.closed(self.now)
        self._follow()

    @rule(number=st.integers(0, len(REQUESTS) - 1), to=st.sampled_from(NAMES), patience=st.floats(0.1, 100))
    def ask(self, number: int, to: str, patience: float) -> None:
        self.numbers += 1
        request = REQUESTS[number].model_copy(update={"request_id": str(self.numbers)})
        self.link.ask(request, to, now=self.now, deadline=self.now + patience)
        self.open[request.request_id] = to, request

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        if self.open:
            request_id = data.draw(st.sampled_from(sorted(self.open)))
            self.link.forget(request_id)
            del self.open[request_id]

    @rule(to=st.sampled_from(NAMES), body=st.sampled_from(ONE_OF_EACH))
    def tell(self, to: str, body: m.Message) -> None:
        assert self.link.tell(body, to, now=self.now) is (self.link.state is LinkState.CONNECTED)

    @rule(sender=st.sampled_from(NAMES), body=st.sampled_from(BODIES) | st.binary(max_size=40))
    def hear(self, sender: str, body: bytes) -> None:
        self._hear([sender.encode(), body])

    @rule(frames=st.lists(st.sampled_from([*BODIES, *(name.encode() for name in NAMES)]) | st.binary(), max_size=4))
    def hear_anything(self, frames: list[bytes]) -> None:
        self._hear(frames)

    @rule(sender=st.sampled_from(NAMES), data=st.data())
    def hear_an_answer(self, sender: str, data: st.DataObject) -> None:
        """Answer something that was asked, rightly or as another one or in another way."""
        if self.open:
            request_id = data.draw(st.sampled_from(sorted(self.open)))
            to, request = self.open[request_id]
            kinds = [one for one in ONE_OF_EACH if type(one) is ANSWER_TO[type(request)]] * 5 + list(ONE_OF_EACH)
            answer = data.draw(st.sampled_from(kinds)).model_copy(update={"request_id": request_id})
            self._hear([data.draw(st.sampled_from([sender, to])).encode(), encode(answer)])

    @rule(told=st.none() | st.integers(0, 3), code=st.sampled_from([None, "greet", "x", *sorted(FOR_GOOD)]))
    def hear_the_hub(self, told: int | None, code: str | None) -> None:
        self._hear([b"", encode(m.Heartbeat(told=told))])
        if code is not None and self.numbers % 3 == 0:
            self._hear([b"", encode(m.Goodbye(code=code))])

    @rule()
    def repeat_what_was_sent(self) -> None:
        """Let the wire bring a link its own words."""
        for frames in self.sent[-5:]:
            self._hear([b"big", frames[-1]])

    @invariant()
    def is_sound(self) -> None:
        link = self.link
        due = link.due()
        assert due is None or due < float("inf")
        assert (link.wants_socket is not None) == (link.state in (LinkState.DISCONNECTED, LinkState.RECONNECTING))
        assert (link.statistics.connected_since is not None) == (link.state is LinkState.CONNECTED)
        sent = link.frames_to_send()
        assert not sent or link.state in (LinkState.CONNECTING, LinkState.CONNECTED)
        self.sent += sent

    def _hear(self, frames: list[bytes]) -> None:
        before = self.link.statistics.errors
        try:
            came = self.link.receive(frames, self.now)
        except ProtocolError:
            assert self.link.statistics.errors == before + 1
            came = []
        for sender, message in came:
            self._check(sender, message)
        self._follow()

    def _check(self, sender: str, message: Any) -> None:
        request_id = getattr(message, "request_id", None)
        if type(message) not in {*ANSWER_TO.values(), m.Problem} or request_id is None:
            return
        to, request = self.open.pop(request_id)  # once
        assert isinstance(message, (ANSWER_TO[type(request)], m.Problem))
        is_of_the_hub = isinstance(message, m.Problem) and not sender
        assert sender == to or is_of_the_hub or self.link.me.role == "client"

    def _follow(self) -> None:
        state = self.link.state
        assert state is self.was or state in MAY_FOLLOW[self.was]
        self.was = state


TestConversations = Conversations.TestCase
TestConversations.settings = settings(
    deadline=None, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
