"""The commands of the bus, each as a call of the one table, or a look."""

from __future__ import annotations

import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from pydantic import Field

from descartes_core.bus.messages import Id, Offset
from descartes_core.errors import Conflict, Forbidden, InvalidParams
from descartes_core.messages.common import Model
from descartes_core.times import written
from descartes_daemon.agent import Agent
from descartes_daemon.bus import looking
from descartes_daemon.bus.channels import Channels
from descartes_daemon.bus.describing import described
from descartes_daemon.bus.payloads import checked
from descartes_daemon.dispatch import Dispatcher, Peer
from descartes_daemon.effects import Effects
from descartes_daemon.surroundings import signal_named

Data = dict[str, Any]

#: The original's words.
_SIGNALS = {"interrupt": "SIGINT", "terminate": "SIGTERM", "stop": "SIGSTOP", "continue": "SIGCONT"}
#: What reaches the whole tree, and is remembered.
_HELD = {"SIGSTOP": "agent.pause", "SIGCONT": "agent.resume"}


class Order(NamedTuple):
    """One command, by whom, to which agent."""

    asker: Peer
    agent: Agent
    request_id: str
    payload: Data

    @property
    def client(self) -> str:
        """How the history calls who asks."""
        return f"bus {self.asker.name}"


class _Written(Model):
    """Type plainly, or in order on a channel."""

    data: bytes | str | tuple[int, ...] | None = None
    text: str | None = None
    enter: bool = False
    paste: bool = False
    eof: bool = False
    channel: Id | None = None
    at: Offset = 0


class _Action(Model):
    """Another action."""

    action: str
    params: Data = Field(default_factory=dict)


class _Names(Model):
    """Which variables; all, without any."""

    names: tuple[str, ...] | None = None


class Refusal(Exception):
    """A refusal that carries data."""

    def __init__(self, error: Conflict, data: Data) -> None:
        super().__init__(error.message)
        self.error, self.data = error, data


class Commands:
    """Does what a command says; each answers with its data."""

    def __init__(
        self, dispatcher: Dispatcher, effects: Effects, channels: Channels, forget: Callable[[str], Awaitable[None]]
    ) -> None:
        self._dispatcher, self._effects, self._channels, self._forget = dispatcher, effects, channels, forget
        self._do: Mapping[str, Callable[[Order], Awaitable[Data]]] = {
            "pause": self._pause,
            "resume": self._resume,
            "stop": self._stop,
            "kill": self._kill,
            "write_stdin": self._write,
            "read_stdout": self._read_stdout,
            "read_stderr": self._read_stderr,
            "get_status": self._get_status,
            "signal": self._signal,
            "custom_action": self._custom_action,
            "query_output": self._query_output,
            "stream_logs": self._stream_logs,
        }
        self._actions: Mapping[str, Callable[[Order], Awaitable[Data]]] = {
            "echo": self._echo,
            "ping": self._ping,
            "get_env": self._get_env,
            "resize": self._resize,
            "screen": self._screen,
            "wait": self._wait,
            "forget": self._forget_output,
        }

    async def do(self, command: str, order: Order) -> Data:
        """Do one command.

        Raises:
            DescartesError: it was refused.
            Refusal: likewise, with data.

        """
        return await self._do[command](order)

    async def act(self, action: str, order: Order) -> Data:
        """Do a custom action.

        Raises:
            InvalidParams: there is none of this name.
            DescartesError: it was refused.

        """
        if action not in self._actions:
            raise InvalidParams(f"there is no action {action[:50]!r}: {', '.join(self._actions)}")
        return await self._actions[action](order)

    async def call(self, method: str, order: Order, **params: Any) -> Data:
        """Call a method about this agent; a change with its request id, once."""
        asked = {"agent_id": order.agent.id, **{name: value for name, value in params.items() if value is not None}}
        if not self._dispatcher.is_read(method):
            asked["request_id"] = order.request_id
        answer = self._dispatcher.call(method, asked, client=order.client, peer=order.asker)
        return answer if isinstance(answer, dict) else await answer

    async def _pause(self, order: Order) -> Data:
        await self.call("agent.pause", order)
        return {"paused": True, "mode": "forced"}

    async def _resume(self, order: Order) -> Data:
        await self.call("agent.resume", order)
        return {"paused": False}

    async def _stop(self, order: Order) -> Data:
        await self.call("agent.stop", order, grace=order.payload.get("grace"))
        return described(order.agent).model_dump(exclude_none=True)

    async def _kill(self, order: Order) -> Data:
        await self.call("agent.kill", order)
        return described(order.agent).model_dump(exclude_none=True)

    async def _signal(self, order: Order) -> Data:
        word = str(order.payload.get("signal", ""))
        name = signal_named(_SIGNALS.get(word.lower(), word)).name
        if name in _HELD:
            await self.call(_HELD[name], order)
        else:
            await self.call("agent.signal", order, signal=name)
        return {"signal": name}

    async def _write(self, order: Order) -> Data:
        asked = checked(_Written, order.payload)
        if asked.channel is not None:
            return await self._type(order, asked, asked.channel)
        data = None if asked.data is None else base64.b64encode(_bytes(asked.data)).decode()
        flags = {"enter": asked.enter, "paste": asked.paste, "eof": asked.eof}
        if asked.paste and isinstance(asked.data, str) and asked.text is None:
            asked, data = asked.model_copy(update={"text": asked.data}), None
        reply = await self.call("agent.write", order, data=data, text=asked.text, **flags)
        return {"bytes_written": reply["written"], "written": reply["written"]}

    async def _type(self, order: Order, asked: _Written, channel: str) -> Data:
        if asked.enter or asked.paste or asked.text is not None:
            raise InvalidParams("on a channel only data is typed, as it is")
        data = _bytes(asked.data or b"")
        try:
            there = self._channels.type(order.agent, order.client, channel, asked.at, data)
        except Conflict as error:
            written_so_far = self._channels.count(order.agent, order.client, channel)
            raise Refusal(error, {"written": written_so_far}) from error
        taken = await self._channels.taken(order.agent, order.client, channel, there)
        if asked.eof:
            await self.call("agent.write", order, eof=True)
        return {"bytes_written": len(data), "written": taken}

    async def _read_stdout(self, order: Order) -> Data:
        return looking.piece(order.agent, "stdout", order.payload)

    async def _read_stderr(self, order: Order) -> Data:
        return looking.piece(order.agent, "stderr", order.payload)

    async def _query_output(self, order: Order) -> Data:
        return await looking.last_lines(order.agent, order.payload)

    async def _stream_logs(self, order: Order) -> Data:
        return looking.place(order.agent, order.payload)

    async def _get_status(self, order: Order) -> Data:
        return described(order.agent).model_dump(exclude_none=True)

    async def _custom_action(self, order: Order) -> Data:
        asked = checked(_Action, order.payload)
        return await self.act(asked.action, order._replace(payload=asked.params))

    async def _echo(self, order: Order) -> Data:
        return {"echo": order.payload}

    async def _ping(self, _order: Order) -> Data:
        return {"pong": True, "timestamp": written(time.time())}

    async def _get_env(self, order: Order) -> Data:
        names = checked(_Names, order.payload).names
        found = await self._effects.side(order.agent).environment(order.agent)
        return {"environment": found if names is None else {name: found[name] for name in names if name in found}}

    async def _resize(self, order: Order) -> Data:
        rows, cols = order.payload.get("rows"), order.payload.get("cols")
        await self.call("agent.resize", order, rows=rows, cols=cols)
        return {"rows": rows, "cols": cols}

    async def _screen(self, order: Order) -> Data:
        return await self.call("agent.screen", order, format=order.payload.get("format"))

    async def _wait(self, order: Order) -> Data:
        waited = await self.call("agent.wait", order, timeout=order.payload.get("timeout"))
        return {"ended": waited["ended"], "agent": described(order.agent).model_dump(exclude_none=True)}

    async def _forget_output(self, order: Order) -> Data:
        if order.asker.owner is None:
            raise Forbidden("only a runner forgets what an agent said, when its daemon has all of it")
        await self._forget(order.agent.id)
        return {}


def _bytes(data: bytes | str | tuple[int, ...]) -> bytes:
    if isinstance(data, str):
        return data.encode(errors="surrogateescape")
    try:
        return bytes(data)
    except ValueError as error:
        raise InvalidParams(f"data: {error}") from error
