from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.kept import (
    HTTP,
    LOCK_DATA,
    LOCK_WORKSPACE,
    PARTS,
    RPC,
    WS,
    AgentPart,
    agent_name,
    agent_part,
    is_stored,
)


@given(st.uuids(), st.sampled_from(PARTS))
def test_a_name_tells_agent_and_part(agent: object, part: str) -> None:
    name = agent_name(str(agent), part)
    assert ":" not in name
    assert len(name) <= 255
    assert agent_part(name) == AgentPart(str(agent), part)


@pytest.mark.parametrize("name", [HTTP, WS, RPC, LOCK_WORKSPACE, LOCK_DATA, "agent-x-else", "agent--pid", "", "-"])
def test_other_names_mean_no_agent(name: str) -> None:
    assert agent_part(name) is None


def test_what_a_daemon_gave_is_told_from_what_its_starter_has() -> None:
    given = [LOCK_WORKSPACE, LOCK_DATA, *(agent_name("x", part) for part in PARTS)]
    assert all(map(is_stored, given))
    assert not any(map(is_stored, [HTTP, WS, RPC, "stored", "unknown-3", ""]))
