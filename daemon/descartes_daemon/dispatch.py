"""Answer every method, whichever door it came through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from pydantic import ValidationError

from descartes_core.errors import DescartesError, InternalError, InvalidParams, InvalidRequest, MethodNotFound
from descartes_core.messages.common import Change, Model
from descartes_core.methods import METHODS
from descartes_daemon.asking import Asking
from descartes_daemon.once import Once


class Peer(NamedTuple):
    """Who asks by the bus."""

    name: str
    #: For whom what is spawned runs; None: for this session.
    owner: str | None


Reply = dict[str, Any]
Answer = Reply | Coroutine[Any, Any, Reply]
Read = Callable[[Any], Answer]
Act = Callable[[Any, Asking], Awaitable[Reply]]


class Dispatcher:
    """Checks parameters against the one table of methods, and calls what does the work."""

    def __init__(self, once: Once) -> None:
        self._once = once
        self._reads: dict[str, Read] = {}
        self._acts: dict[str, tuple[Act, Act]] = {}
        self.requests = 0
        #: Whether calls are left to the next daemon, where they can wait for it.
        self.is_held = False
        #: What is awaited for somebody, and by which method.
        self._under_way: dict[asyncio.Task[Any], str] = {}
        #: Told of every call, before it is answered.
        self.on_call: Callable[[], None] = lambda: None
        #: Told how each call of a known method went: its name, the seconds, the error's code or None.
        self.on_done: Callable[[str, float, str | None], None] = lambda _method, _seconds, _code: None
        #: Told of a fault of ours, besides whoever asked.
        self.on_fault: Callable[[str, Exception], None] = lambda _method, _fault: None

    def reads(self, method: str, do: Read) -> None:
        """Register what only reads: answered at once where it can be, else awaited."""
        self._reads[method] = do

    def acts(self, method: str, do: Act, again: Act | None = None) -> None:
        """Register what changes something, and what answers its repeat when the answer was lost with a daemon."""
        self._acts[method] = do, again or do

    def call(self, method: str, params: dict[str, Any], *, client: str, peer: Peer | None = None) -> Answer:
        """Return the reply, or what is to be awaited for it; `peer`: of the bus, who asks.

        Raises:
            DescartesError: now, or when it is awaited.

        """
        self.requests += 1
        self.on_call()
        known = method if method in METHODS else "unknown"
        began = time.perf_counter()
        try:
            answer = self._answer(method, params, client, peer)
        except Exception as error:
            self._done(known, began, error)
            raise
        if isinstance(answer, dict):
            self._done(known, began)
            return answer
        return self._later(known, began, answer)

    def is_read(self, method: str) -> bool:
        """Whether a method changes nothing."""
        return method in self._reads

    def _answer(self, method: str, params: dict[str, Any], client: str, peer: Peer | None) -> Answer:
        request = checked(method, params)
        if isinstance(request, Change):
            return self._change(method, request, client, peer)
        if method not in self._reads:
            raise InvalidRequest(f"{method} is for the Unix socket only")
        return self._reads[method](request)

    async def _later(self, method: str, began: float, answer: Coroutine[Any, Any, Reply]) -> Reply:
        task = asyncio.current_task()
        assert task is not None, "awaited by a task"
        self._under_way[task] = method
        try:
            reply = await answer
        except Exception as error:
            self._done(method, began, error)
            raise
        finally:
            self._under_way.pop(task, None)
        self._done(method, began)
        return reply

    def give_up_reads(self) -> None:
        """End what only waits to tell something: who asked asks the next daemon."""
        for task, method in list(self._under_way.items()):
            if self.is_read(method):
                task.cancel()

    async def settle(self, patience: float) -> bool:
        """Wait until no change is under way; False when one takes longer."""
        ends = time.monotonic() + patience
        while changes := [task for task, method in self._under_way.items() if not self.is_read(method)]:
            left = ends - time.monotonic()
            if left <= 0:
                return False
            await asyncio.wait(changes, timeout=left)
        return True

    def _done(self, method: str, began: float, error: Exception | None = None) -> None:
        seconds = time.perf_counter() - began
        if error is None or isinstance(error, DescartesError):
            self.on_done(method, seconds, error.code if error else None)
        else:
            self.on_done(method, seconds, InternalError.code)
            self.on_fault(method, error)

    async def _change(self, method: str, request: Change, client: str, peer: Peer | None) -> Reply:
        do, again = self._acts[method]
        asking = Asking(method, client, request.request_id)
        if peer is not None and asking.id is not None:
            # Nobody is given the answer to another's request, whatever id it makes up.
            asking.id, asking.owner = f"{peer.name} {asking.id}", peer.owner
        reply = await self._once.do(asking, lambda: do(request, asking), lambda: again(request, asking))
        for then in asking.afterwards:
            then()
        return reply


#: The requests that say nothing, by method: none of them can be changed, so one of each is enough.
_EMPTY: dict[str, Model] = {}


def checked(method: str, params: dict[str, Any]) -> Model:
    """Return the request that the parameters are.

    Raises:
        MethodNotFound: there is no such method.
        InvalidParams: they do not fit; the message names each.

    """
    if not params and (empty := _EMPTY.get(method)) is not None:
        return empty
    if method not in METHODS:
        raise MethodNotFound(f"there is no method {method[:100]!r}")
    try:
        try:
            request: Model = METHODS[method].request.model_validate(params)
        except ValidationError:
            # In JSON 24.0 is an integer, and some languages write it so; only who does pays for it.
            request = METHODS[method].request.model_validate(_whole(params))
    except ValidationError as error:
        # The input itself may be a secret, or huge: only where and why are told.
        told = [f"{'.'.join(map(str, one['loc'])) or 'params'}: {one['msg']}" for one in error.errors()[:5]]
        raise InvalidParams(f"{method}: {'; '.join(told)[:1000]}") from None
    if not params:
        _EMPTY[method] = request
    return request


def _whole(value: Any) -> Any:
    """Return a JSON value with its whole numbers as integers."""
    if isinstance(value, dict):
        return {key: _whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
