"""HTTP as JSON-RPC 2.0: one call, or an array of them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InvalidParams, InvalidRequest, TooLarge
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_daemon import dumping
from descartes_daemon.calling import Caller
from descartes_daemon.plain_http import as_json

#: The most calls in one array.
LARGEST_BATCH = 100


class RpcHttp:
    """POST /rpc."""

    def __init__(self, caller: Caller, *, deepest: int) -> None:
        self._caller = caller
        self._deepest = deepest

    async def serve(self, request: Request) -> Response:
        """Answer with 200, errors too; with 204 where there is nothing to answer."""
        answer = await self._answer(await request.body(), request)
        return Response(status_code=204) if answer is None else as_json(answer)

    async def _answer(self, body: bytes, request: Request) -> bytes | None:
        try:
            value = jsonrpc.parse(body, deepest=self._deepest)
            if not isinstance(value, list):
                return await self._answer_one(value, request)
            if not 1 <= len(value) <= LARGEST_BATCH:
                raise InvalidRequest(f"an array may have 1 to {LARGEST_BATCH} calls, this one has {len(value)}")
        except DescartesError as error:
            return jsonrpc.refusal(None, error)
        answers: list[bytes] = []
        for one in value:
            has_room = sum(map(len, answers)) <= LARGEST_MESSAGE
            if (answer := await self._answer_one(one, request, has_room=has_room)) is not None:
                answers.append(answer)
        return b"[" + b",".join(answers) + b"]" if answers else None

    async def _answer_one(self, value: Any, request: Request, *, has_room: bool = True) -> bytes | None:
        try:
            call = jsonrpc.call_of(value)
        except InvalidParams as error:  # a request, but its parameters have no names
            return jsonrpc.refusal(value["id"], error) if "id" in value else None
        except DescartesError as error:
            return jsonrpc.refusal(None, error)
        try:
            if not (has_room or call.is_notification):
                raise TooLarge(f"not done: the answers before it have {LARGEST_MESSAGE} bytes; call it by itself")
            answer = dumping.reply(call.id, await self._caller.call(call.method, call.params, request))
        except DescartesError as error:
            answer = jsonrpc.refusal(call.id, error)
        return None if call.is_notification else answer
