"""Where a token says that the hub is."""

from __future__ import annotations

import pytest

from descartes_core.errors import InvalidParams
from descartes_orchestrator.hub_service import reachable_endpoint


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("10.0.0.1", "tcp://10.0.0.1:5555"),
        ("big.example", "tcp://big.example:5555"),
        ("big.example:6000", "tcp://big.example:6000"),
        ("fe80::1", "tcp://[fe80::1]:5555"),
        ("[::1]", "tcp://[::1]:5555"),
    ],
)
def test_a_token_names_the_host_that_is_said(said: str, told: str) -> None:
    assert reachable_endpoint("tcp://0.0.0.0:5555", said) == told


@pytest.mark.parametrize("said", ["tcp://10.0.0.1", "two words", "here/there", "big:port"])
def test_what_is_no_host_is_refused(said: str) -> None:
    with pytest.raises(InvalidParams, match="is no host"):
        reachable_endpoint("tcp://0.0.0.0:5555", said)
