"""One event as it is sent: its body, its headers, its signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from descartes_core import VERSION
from descartes_daemon.hooks.choosing import word_of


@dataclass(frozen=True, slots=True)
class Letter:
    """What is delivered, the same at every try."""

    hook_id: str
    seq: int
    #: What it is about, as `agent.completed`.
    event: str
    body: str
    #: The seqs before it that are kept no more, as FIRST-LAST.
    gap: str | None = None

    @property
    def delivery(self) -> str:
        """By what a receiver knows a repeat."""
        return f"{self.hook_id}.{self.seq}"

    def headers(self, secret: str, at: int, attempt: int) -> dict[str, str]:
        """Return what stands above the body at one try."""
        return {
            "Content-Type": "application/json",
            "User-Agent": f"descartes/{VERSION}",
            "X-Descartes-Event": self.event,
            "X-Descartes-Delivery": self.delivery,
            "X-Descartes-Attempt": str(attempt),
            **({"X-Descartes-Gap": self.gap} if self.gap else {}),
            "X-Descartes-Timestamp": str(at),
            "X-Descartes-Signature": signature(secret, at, self.body.encode()),
        }


def letter_of(hook_id: str, session_id: str, event: Mapping[str, Any], gap: tuple[int, int] | None) -> Letter:
    """Return an event as it is sent: as every door tells it, with its session, and with what is missing before it."""
    missing = {} if gap is None else {"gap": {"from": gap[0], "to": gap[1]}}
    body = json.dumps({"session_id": session_id, **event, **missing})
    return Letter(hook_id, event["seq"], word_of(event), body, _spelt(gap))


def letter_again(hook_id: str, seq: int, event: str, body: str) -> Letter:
    """Return a dead letter as it was sent."""
    gap = json.loads(body).get("gap")
    return Letter(hook_id, seq, event, body, _spelt((gap["from"], gap["to"]) if gap else None))


def _spelt(gap: tuple[int, int] | None) -> str | None:
    return None if gap is None else f"{gap[0]}-{gap[1]}"


def signature(secret: str, at: int, body: bytes) -> str:
    """Return the HMAC of timestamp, a full stop, and body."""
    return "sha256=" + hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def seq_of(delivery: str, hook_id: str) -> int | None:
    """Return the seq that a delivery of this hook is named by; None where it is none of it."""
    owner, _, seq = delivery.rpartition(".")
    return int(seq) if owner == hook_id and seq.isascii() and seq.isdigit() and len(seq) < 19 else None
