"""Messages about hooks: who is told of events, and what could not be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from descartes_core.messages.common import Argument, Change, Model
from descartes_core.messages.events import Ids

#: An id, a unique prefix of one, or a name.
HookName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
#: `agent.completed`, `agent.*`, or `*`.
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[a-z_*]+(\.[a-z_*]+)?$")]


class AddHook(Change):
    """Tell a web address, or a command, of events from now on: in order, each at least once."""

    #: Where each event is posted to (http or https); or …
    url: Annotated[str, StringConstraints(min_length=1, max_length=4000)] | None = None
    #: … what is run for each event, which it finds on its stdin.
    command: Annotated[list[Argument], Field(min_length=1, max_length=1000)] | None = None
    #: Of which events: CATEGORY.EVENT_TYPE (`agent.completed`), `agent.*`, or `*`; empty: of all.
    on: Annotated[list[Pattern], Field(max_length=100)] = []
    #: Of these agents only; events that are not of an agent are left out then.
    agent_ids: Ids = []
    #: Default: the host, or the program.
    name: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    #: The key of the signature; made where none is given, and told once.
    secret: Annotated[str, StringConstraints(min_length=16, max_length=1000, pattern=r"^[!-~]+$")] | None = None
    #: Whether a loopback, private or link-local address may be posted to.
    allow_private: bool = False
    #: The seq of the last event that is known there already; null: from now on.
    since: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None

    @model_validator(mode="after")
    def _one_target(self) -> AddHook:
        if (self.url is None) == (self.command is None):
            raise ValueError("either url or command is needed")
        return self


class Hook(Model):
    """Somebody who is told of events, and how far that has come."""

    hook_id: str
    name: str
    #: Without what looks like a secret.
    url: str | None
    #: Likewise.
    command: list[str] | None
    on: list[str]
    agent_ids: list[str]
    allow_private: bool
    created_at: str
    #: `waiting` for events, `delivering` one, `retrying` after a pause, or `disabled` until `hook.retry`.
    state: Literal["waiting", "delivering", "retrying", "disabled"]
    #: The seq up to which everything was delivered, given up, or not wanted; and how many are beyond it.
    delivered_to: int
    behind: int
    #: Events that were delivered.
    delivered: int
    delivered_at: str | None
    #: Failed tries of the event that is delivered now; why the last one failed, when, and when the next one comes.
    tries: int
    error: str | None
    failed_at: str | None
    next_try_at: str | None
    #: The last words of the command that failed last.
    output: str | None
    #: Dead letters that are kept.
    dead: int


class HookAdded(Model):
    """A hook, and the key of its signatures, which is not told again."""

    hook: Hook
    secret: str


class HookReply(Model):
    """One hook."""

    hook: Hook


class HookList(Model):
    """All hooks, oldest first."""

    hooks: list[Hook]


class RemoveHook(Change):
    """Tell it nothing more; its dead letters go with it."""

    hook_id: HookName


class RetryHook(Change):
    """Try what failed again, now: the present event, and dead letters; a disabled hook is enabled."""

    hook_id: HookName
    #: Only this dead letter; null: all of them.
    delivery: Annotated[str, StringConstraints(max_length=100)] | None = None


class HookRetried(Model):
    """How many dead letters are tried once more, in their order, before anything else."""

    hook: Hook
    letters: int


class ListDeliveries(Model):
    """Read the dead letters: what was given up after so many tries."""

    #: Of this hook only.
    hook_id: HookName | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    #: The `next` of the page before.
    after: Annotated[str, StringConstraints(max_length=100)] | None = None


class DeadLetter(Model):
    """An event that could not be delivered."""

    #: The same at every try: the X-Descartes-Delivery header.
    delivery: str
    hook_id: str
    seq: int
    #: CATEGORY.EVENT_TYPE.
    event: str
    #: What was sent: JSON as text.
    body: str
    tries: int
    error: str
    failed_at: str
    #: Whether it is about to be tried once more.
    is_retried: bool


class DeadLetters(Model):
    """Dead letters by hook, oldest first."""

    deliveries: list[DeadLetter]
    #: Where the next page begins; null: this is the last one.
    next: str | None
