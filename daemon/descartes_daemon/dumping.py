"""Write answers as JSON, at the pace of the fastest writer that is here."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json


def dumped(value: Any) -> bytes:
    """Return JSON in UTF-8; names that are no UTF-8 (bytes of old file systems) are escaped, as `json` does."""
    try:
        return to_json(value)
    except PydanticSerializationError:
        return json.dumps(value).encode()


def reply(identity: str | float | None, result: dict[str, Any]) -> bytes:
    """Return one answer of JSON-RPC as a line."""
    return dumped({"jsonrpc": "2.0", "id": identity, "result": result}) + b"\n"
