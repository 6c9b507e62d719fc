"""The one-time token."""

from __future__ import annotations

import pytest

from descartes_core.bus.invitation import Invitation, read_token, write_token
from descartes_core.errors import InvalidParams

INVITATION = Invitation("tcp://10.0.0.1:5555", "k" * 40, "s" * 40)


def test_a_token_says_where_and_who() -> None:
    token = write_token(INVITATION)
    assert token.startswith("descartes-")
    assert token.isprintable()
    assert read_token(f"  {token}\n") == INVITATION


@pytest.mark.parametrize("cut", [1, 10, 30, 100])
def test_a_token_that_is_not_whole_is_refused(cut: int) -> None:
    with pytest.raises(InvalidParams):
        read_token(write_token(INVITATION)[:-cut])


@pytest.mark.parametrize(
    "text", ["", "descartes-", "descartes-!!!", "descartes-gA", "token", "descartes-" + "a" * 5000]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        read_token(text)
