"""What is on the wire stays as it is: one file a message.

After a change that is meant: `python -m tests.core.bus.test_golden` writes the files anew; an older peer must still
read them, and `test_an_older_peer_is_understood` says what of the first version must stay.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from pydantic import BaseModel

from descartes_core.bus.codec import decode, encode
from descartes_core.bus.messages import Message
from tests.support.bus_messages import BY_TYPE, KINDS, ONE_OF_EACH

GOLDEN = Path(__file__).parent / "golden"


def test_each_message_has_its_bytes() -> None:
    assert [type(one) for one in ONE_OF_EACH] == list(KINDS)
    assert {path.stem for path in GOLDEN.iterdir()} == set(BY_TYPE)


@pytest.mark.parametrize("kind", BY_TYPE)
def test_it_is_written_and_read_as_ever(kind: str) -> None:
    message, golden = BY_TYPE[kind], (GOLDEN / f"{kind}.msgpack").read_bytes()
    assert encode(message) == golden
    assert decode(golden) == message
    assert decode(memoryview(golden)) == message


@pytest.mark.parametrize("kind", BY_TYPE)
def test_its_bytes_show_every_field(kind: str) -> None:
    shown = msgpack.unpackb((GOLDEN / f"{kind}.msgpack").read_bytes())
    assert list(unset(BY_TYPE[kind], shown)) == []


@pytest.mark.parametrize("kind", BY_TYPE)
def test_what_a_newer_peer_adds_is_ignored(kind: str) -> None:
    golden = msgpack.unpackb((GOLDEN / f"{kind}.msgpack").read_bytes())
    assert decode(msgpack.packb({**golden, "of_a_newer_version": {"x": [1]}})) == BY_TYPE[kind]


@pytest.mark.parametrize("kind", BY_TYPE)
def test_an_older_peer_is_understood(kind: str) -> None:
    needed = {name for name, field in type(BY_TYPE[kind]).model_fields.items() if field.is_required()}
    golden = msgpack.unpackb((GOLDEN / f"{kind}.msgpack").read_bytes())
    message = decode(msgpack.packb({key: value for key, value in golden.items() if key in {*needed, "type"}}))
    assert type(message) is type(BY_TYPE[kind])


def unset(message: Message, shown: dict[str, Any]) -> list[str]:
    """Return the fields whose bytes do not show, since they are as if nobody had set them."""
    found = []
    for name, field in type(message).model_fields.items():
        value = getattr(message, name)
        if name != "type" and (name not in shown or value == field.get_default()):
            found.append(name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, BaseModel):
                assert isinstance(part, Message)
                found += unset(part, part.model_dump(exclude_none=True))
    return found


if __name__ == "__main__":
    for one in ONE_OF_EACH:
        (GOLDEN / f"{one.type}.msgpack").write_bytes(encode(one))  # type: ignore[attr-defined]
    sys.exit()
