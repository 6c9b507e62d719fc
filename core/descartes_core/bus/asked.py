"""What was asked and is not answered yet: matched, sent again, given up at its deadline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeGuard, get_args

from descartes_core.bus import messages as m
from descartes_core.bus.codec import encode
from descartes_core.errors import LimitReached

#: Which message answers which; a problem answers all.
ANSWER_TO: Mapping[type[m.Request], type[m.Request]] = MappingProxyType(
    {
        m.SpawnRequest: m.SpawnResponse,
        m.ControlCommand: m.CommandResponse,
        m.CustomActionRequest: m.CommandResponse,
        m.ListAgentsRequest: m.ListAgentsResponse,
        m.HealthCheckRequest: m.HealthCheckResponse,
        m.BatchControlCommand: m.BatchControlResponse,
        m.OutputQueryRequest: m.OutputQueryResponse,
        m.PeersRequest: m.PeersResponse,
        m.EnrollRequest: m.EnrollResponse,
    }
)
Answer = (
    m.SpawnResponse
    | m.CommandResponse
    | m.ListAgentsResponse
    | m.HealthCheckResponse
    | m.BatchControlResponse
    | m.OutputQueryResponse
    | m.PeersResponse
    | m.EnrollResponse
    | m.Problem
)

_ANSWERS = frozenset(get_args(Answer))

#: Unanswered at once.
MOST = 10_000
#: A request that stays unanswered is sent again after this many times its first wait at the latest.
SLOWEST = 10


class Expired(NamedTuple):
    """What nobody answered in time."""

    request_id: str
    to: str
    message: m.Message


@dataclass(slots=True)
class _Question:
    message: m.Request
    body: bytes
    to: str
    deadline: float
    wait: float
    again_at: float


def is_answer(message: m.Message) -> TypeGuard[Answer]:
    """Say whether it is one; `isinstance` of so many models takes longer than decoding."""
    return type(message) in _ANSWERS


class Asked:
    """The unanswered requests of one link, in the order asked."""

    def __init__(self, resend: float) -> None:
        self._resend = resend
        self._questions: dict[str, _Question] = {}
        #: Not before these is any over its deadline, or to be sent again: so that most looks need not go through all.
        self._first_over = self._first_again = math.inf

    def __len__(self) -> int:
        return len(self._questions)

    def add(self, message: m.Request, to: str, now: float, deadline: float) -> bytes:
        """Keep a request, and return its bytes.

        Raises:
            LimitReached: too many are unanswered.
            TooLarge: nobody would take it.

        """
        if len(self._questions) >= MOST:
            raise LimitReached(f"{MOST} requests are unanswered")
        body = encode(message)
        again_at = now + self._resend
        self._questions[message.request_id] = _Question(message, body, to, deadline, self._resend, again_at)
        self._first_over, self._first_again = min(self._first_over, deadline), min(self._first_again, again_at)
        return body

    def forget(self, request_id: str) -> None:
        """Wait for this answer no longer."""
        self._questions.pop(request_id, None)

    def settle(self, answer: Answer, sender: str, *, is_loose: bool) -> bool:
        """Take an answer; False where it is none to what was asked, of whom it was asked.

        `is_loose`: the addressee was named as people do, so its name in full may be another one.
        """
        question = self._questions.get(answer.request_id or "")
        if question is None:
            return False
        if not isinstance(answer, m.Problem) and type(answer) is not ANSWER_TO[type(question.message)]:
            return False
        if sender != question.to and not is_loose and not (isinstance(answer, m.Problem) and not sender):
            return False
        del self._questions[question.message.request_id]
        return True

    def settle_all_to(self, to: str) -> list[str]:
        """Take the word that this addressee cannot be reached at all, and return which requests that answers."""
        settled = [one for one, question in self._questions.items() if question.to == to]
        for one in settled:
            del self._questions[one]
        return settled

    def again(self, now: float, to: str | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield all, or those to one addressee, to be sent again at once."""
        self._first_again = min(self._first_again, now + self._resend)
        for question in self._questions.values():
            if to is None or question.to == to:
                question.wait = self._resend
                question.again_at = now + question.wait
                yield question.to, question.body

    def again_where_due(self, now: float) -> Iterator[tuple[str, bytes]]:
        """Yield what has been unanswered for long enough to be sent again; then it waits twice as long."""
        if now < self._first_again:
            return
        for question in self._questions.values():
            if question.again_at <= now:
                question.wait = min(2 * question.wait, SLOWEST * self._resend)
                question.again_at = now + question.wait
                yield question.to, question.body
        self._first_again = min((question.again_at for question in self._questions.values()), default=math.inf)

    def expire(self, now: float) -> list[Expired]:
        """Give up what is over its deadline."""
        if now < self._first_over:
            return []
        over = [question for question in self._questions.values() if question.deadline <= now]
        for question in over:
            del self._questions[question.message.request_id]
        self._first_over = min((question.deadline for question in self._questions.values()), default=math.inf)
        return [Expired(one.message.request_id, one.to, one.message) for one in over]

    def due(self, *, is_connected: bool) -> float | None:
        """Return when the next one is to be sent again or given up, or a moment before that."""
        if not self._questions:
            self._first_over = self._first_again = math.inf
            return None
        return min(self._first_over, self._first_again) if is_connected else self._first_over
