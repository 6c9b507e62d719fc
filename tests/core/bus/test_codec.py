from __future__ import annotations

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.bus.codec import decode, encode
from descartes_core.bus.messages import LARGEST, CustomActionRequest, Heartbeat, Output
from descartes_core.errors import ProtocolError, TooLarge
from tests.support.bus_messages import AGENT_ID, BY_TYPE

anything = st.recursive(
    st.sampled_from([None, True, -1, 2**64 - 1, 0.5, float("nan"), "", "x" * 300]) | st.text(max_size=5) | st.binary(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(-5, 5), inside),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything)
def test_what_is_no_message_is_told_as_such(value: object) -> None:
    with pytest.raises(ProtocolError):
        decode(msgpack.packb(value))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(BY_TYPE)), st.data())
def test_one_wrong_field_is_named_or_harmless(kind: str, data: st.DataObject) -> None:
    good = msgpack.unpackb(encode(BY_TYPE[kind]))
    name = data.draw(st.sampled_from(sorted(good)))
    try:
        decode(msgpack.packb({**good, name: data.draw(anything)}))
    except ProtocolError as error:
        told = error.message
        assert name in told or name == "type" or told.startswith("that is no msgpack")


@given(st.sampled_from(sorted(BY_TYPE)), st.integers(0, 10_000), st.binary(max_size=4))
def test_broken_bytes_are_told_as_such(kind: str, where: int, other: bytes) -> None:
    good = encode(BY_TYPE[kind])
    where %= len(good)
    try:
        message = decode(good[:where] + other + good[where + 1 :])
    except ProtocolError:
        return
    assert encode(decode(encode(message))) == encode(message)  # bytes: NaN is not NaN


def test_a_part_of_a_message_is_none() -> None:
    good = encode(BY_TYPE["spawn_request"])
    for length in range(len(good)):
        with pytest.raises(ProtocolError):
            decode(good[:length])
    with pytest.raises(ProtocolError):
        decode(good + b"\xc0")


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (b"", "that is no msgpack: ValueError"),
        (b"\xc1", "that is no msgpack: FormatError"),
        (b"\xdd\xff\xff\xff\xff", "that is no msgpack: ValueError"),
        (b"\x91" * 2000 + b"\xc0", "that is no msgpack: StackError"),
        (msgpack.packb([1]), "a message is a map"),
        (msgpack.packb({}), "message: Unable to extract tag using discriminator 'type'"),
        (msgpack.packb({1: 2}), "that is no msgpack: ValueError"),
        (msgpack.packb({"type": "output", "agent_id": "a", "offset": -1}), "output.offset: Input should be greater"),
        (msgpack.packb({"type": "output", "agent_id": "a", "offset": True}), "output.offset: Input should be a valid"),
        (msgpack.packb({"type": "health_check_request", "request_id": ""}), "health_check_request.request_id: String"),
    ],
)
def test_a_refusal_says_why_without_repeating(frame: bytes, told: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(frame)
    assert refused.value.message.startswith(told)


def test_an_unknown_type_is_refused_in_few_words() -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(msgpack.packb({"type": "x" * 1_000_000}))
    assert len(refused.value.message) < 1000


def test_what_is_too_large_is_neither_written_nor_looked_at() -> None:
    message = Output(agent_id=AGENT_ID, offset=0, data=bytes(LARGEST))
    with pytest.raises(TooLarge):
        encode(message)
    with pytest.raises(TooLarge):
        decode(b"\xc1" * (LARGEST + 1))
    room = LARGEST - len(encode(message.model_copy(update={"data": bytes(70_000)}))) + 70_000
    whole = encode(message.model_copy(update={"data": bytes(room)}))
    assert len(whole) == LARGEST
    assert decode(whole).data == bytes(room)


@pytest.mark.parametrize(
    "many",
    [[None] * 500_001, [[]] * 300_000 + [[0]] * 200_000, [[0] * 100_000] * 6, {str(one): 0 for one in range(500_001)}],
)
def test_what_would_cost_much_is_refused(many: object) -> None:
    bomb = {"type": "custom_action_request", "request_id": "1", "agent_id": "a", "action": "x", "params": {"a": many}}
    with pytest.raises(ProtocolError):
        decode(msgpack.packb(bomb))


def test_what_is_wrong_many_times_is_counted_only() -> None:
    message = {"type": "spawn_request", "request_id": "1", "config": {"command": [1] * 2000}}
    with pytest.raises(ProtocolError, match="2000 values of it are wrong"):
        decode(msgpack.packb(message))


@pytest.mark.parametrize("wrong", [{"pid": 1 << 31}, {"exit_code": 1 << 63}, {"evidence": "x" * 5001}, {"rows": -1}])
def test_what_nobody_could_store_is_refused(wrong: dict[str, object]) -> None:
    good = msgpack.unpackb(encode(BY_TYPE["status_update"]))
    good["agent_info"] |= wrong
    with pytest.raises(ProtocolError, match=f"agent_info.{next(iter(wrong))}: "):
        decode(msgpack.packb(good))


def test_what_cannot_be_said_is_told_as_such() -> None:
    deep: dict[str, object] = {}
    for _ in range(2000):
        deep = {"": deep}
    for odd in (deep, {"n": 1 << 64}, {"t": "\udcff"}, {"o": object()}):
        message = CustomActionRequest(request_id="1", agent_id="a", action="x", params=odd)
        with pytest.raises(ProtocolError):
            encode(message)


def test_who_takes_less_says_so() -> None:
    hello = encode(BY_TYPE["hello"])
    with pytest.raises(TooLarge):
        decode(hello, largest=len(hello) - 1)
    with pytest.raises(ProtocolError):
        decode(hello, most_values=3)


def test_what_is_unset_takes_no_room() -> None:
    assert msgpack.unpackb(encode(Heartbeat())) == {"type": "heartbeat", "generation": 0}
