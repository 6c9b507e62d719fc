"""JSON-RPC 2.0 over HTTP, section by section of its specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from descartes_core.messages.common import LARGEST_MESSAGE
from tests.support.tcp_doors import Doors, open_doors

pytestmark = pytest.mark.anyio


async def asked(tmp_path: Path, body: Any) -> tuple[Any, list[str]]:
    """Return the answer to a body, and which methods were called."""
    async with open_doors(tmp_path) as doors:
        return await doors.rpc(body), called(doors)


def called(doors: Doors) -> list[str]:
    return [method for method, _, _ in doors.dispatcher.calls]


def echo(identity: Any = 1, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": "echo", **more}


@pytest.mark.parametrize("version", ["1.0", "2", 2.0, 2, "2.0 ", None, ["2.0"]])
async def test_the_version_is_exactly_two_point_nought(tmp_path: Path, version: Any) -> None:
    answer, calls = await asked(tmp_path, echo() | {"jsonrpc": version})
    assert (answer["error"]["code"], answer["id"], calls) == (-32600, None, [])


@pytest.mark.parametrize("identity", ["", "a", "ä\x00", 0, -1, 1.5, 2**60, None])
async def test_an_id_of_any_kind_comes_back(tmp_path: Path, identity: Any) -> None:
    answer, _ = await asked(tmp_path, echo(identity))
    assert answer == {"jsonrpc": "2.0", "id": identity, "result": {}}


@pytest.mark.parametrize("identity", [True, False, [], {}, [1]])
async def test_an_id_of_another_kind_is_no_request(tmp_path: Path, identity: Any) -> None:
    answer, calls = await asked(tmp_path, echo(identity))
    assert (answer["error"]["code"], answer["id"], calls) == (-32600, None, [])


async def test_parameters_may_be_left_out(tmp_path: Path) -> None:
    assert (await asked(tmp_path, echo()))[0]["result"] == {}


@pytest.mark.parametrize("params", [None, "x", 7, True])
async def test_parameters_of_no_structure_are_no_request(tmp_path: Path, params: Any) -> None:
    answer, calls = await asked(tmp_path, echo(params=params))
    assert (answer["error"]["code"], answer["id"], calls) == (-32600, None, [])


@pytest.mark.parametrize("params", [[], [1], [{}]])
async def test_parameters_without_names_do_not_fit(tmp_path: Path, params: Any) -> None:
    answer, calls = await asked(tmp_path, echo("seven", params=params))
    assert (answer["error"]["code"], answer["id"], calls) == (-32602, "seven", [])


@pytest.mark.parametrize(
    "notification",
    [
        {"jsonrpc": "2.0", "method": "echo"},
        {"jsonrpc": "2.0", "method": "agent.get"},
        {"jsonrpc": "2.0", "method": "nothing"},
        {"jsonrpc": "2.0", "method": "echo", "params": [1]},
        {"jsonrpc": "2.0", "method": "fault"},
    ],
)
async def test_a_notification_is_never_answered(tmp_path: Path, notification: Any) -> None:
    assert (await asked(tmp_path, notification))[0] is None
    assert (await asked(tmp_path, [notification, notification]))[0] is None


@pytest.mark.parametrize("method", ["rpc.discover", "rpc.", "RPC.list", "nothing", ""])
async def test_what_is_reserved_is_no_method(tmp_path: Path, method: str) -> None:
    answer, _ = await asked(tmp_path, {"jsonrpc": "2.0", "id": 1, "method": method})
    assert answer["error"]["code"] == -32601


async def test_an_answer_has_a_result_or_an_error(tmp_path: Path) -> None:
    answers, _ = await asked(tmp_path, [echo(1), echo(2, method="agent.get")])
    assert [set(answer) for answer in answers] == [{"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}]
    assert set(answers[1]["error"]) == {"code", "message", "data"}


async def test_the_examples_of_the_specification_hold(tmp_path: Path) -> None:
    answer, _ = await asked(tmp_path, b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)
    answer, _ = await asked(tmp_path, {"jsonrpc": "2.0", "method": 1, "params": "bar"})
    assert (answer["error"]["code"], answer["id"]) == (-32600, None)
    answer, _ = await asked(tmp_path, b'[{"jsonrpc": "2.0", "method": "sum", "id": "1"}, {"jsonrpc": "2.0", "method"]')
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)
    answer, _ = await asked(tmp_path, [])
    assert (answer["error"]["code"], answer["id"]) == (-32600, None)
    answers, calls = await asked(tmp_path, [1, 2, 3])
    assert [(answer["error"]["code"], answer["id"]) for answer in answers] == [(-32600, None)] * 3
    assert calls == []
    answers, calls = await asked(
        tmp_path,
        [echo("1"), {"jsonrpc": "2.0", "method": "echo"}, {"foo": "boo"}, echo("5", method="foo.get"), echo("9")],
    )
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == [
        ("1", None),
        (None, -32600),
        ("5", -32601),
        ("9", None),
    ]
    assert calls == ["echo", "echo", "foo.get", "echo"]


async def test_an_array_is_done_in_order_and_bounded(tmp_path: Path) -> None:
    answers, _ = await asked(tmp_path, [echo(number) for number in range(100)])
    assert [answer["id"] for answer in answers] == list(range(100))
    answer, calls = await asked(tmp_path, [echo(number) for number in range(101)])
    assert (answer["error"]["code"], calls) == (-32600, [])


async def test_whatever_comes_of_a_call_the_status_is_200(tmp_path: Path) -> None:
    async with open_doors(tmp_path) as doors:
        for body in (b"{", b"[]", json.dumps(echo(method="agent.get")).encode(), json.dumps(echo()).encode()):
            answer = await doors.ask("POST", "/rpc", body)
            assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert (await doors.ask("POST", "/rpc", b'{"jsonrpc": "2.0", "method": "echo"}')).status == 204


async def test_an_array_whose_answers_are_too_large_is_done_so_far(tmp_path: Path) -> None:
    """A hundred pieces of output were a hundred and forty megabytes."""
    large = "x" * (LARGEST_MESSAGE // 4)
    async with open_doors(tmp_path) as doors:
        grow = [{**call_of(identity), "method": "system.metrics"} for identity in range(6)]
        doors.dispatcher.metrics = large
        answers = await doors.rpc([*grow, {"jsonrpc": "2.0", "method": "echo"}])
        assert [answer.get("error", {}).get("data", {}).get("code") for answer in answers] == [None] * 4 + [
            "too_large"
        ] * 2
        assert [answer["id"] for answer in answers] == list(range(6))
        assert called(doors) == ["system.metrics"] * 4 + ["echo"]


def call_of(identity: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity}
