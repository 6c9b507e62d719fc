"""An agent comes out of the store as it went in."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.agent_life import State
from descartes_core.limits import Limits
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.schema import open_writer
from descartes_daemon.sql import QUERIES
from tests.support.rows import an_agent

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


LIMITS = st.none() | st.builds(Limits, st.none() | st.integers(1, 1 << 50), st.none() | st.floats(0.01, 100))


def test_every_column_is_a_field(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "state.db")) as connection:
        columns = {column[0] for column in connection.execute(QUERIES["agent"], {"id": "a"}).description}
    assert columns == set(AgentRow.__slots__)


@given(st.lists(WORDS, max_size=5), WORDS, st.floats(0, 3600), st.booleans(), LIMITS)
@settings(max_examples=30, deadline=None)
def test_what_went_in_comes_out(
    command: list[str], name: str, grace: float, leave: bool, limits: Limits | None
) -> None:
    usage = None if limits is None else {"cpu_seconds": grace}
    agent = an_agent(command=tuple(command), name=name, grace=grace, leave=leave, limits=limits, usage=usage)
    with tempfile.TemporaryDirectory() as directory, closing(open_writer(Path(directory) / "state.db")) as connection:
        connection.execute(QUERIES["add_agent"], agent.as_params())
        found = AgentRow.from_row(connection.execute(QUERIES["agent"], {"id": "a"}).fetchone())
    assert found == agent
    assert found.state is State.INITIALIZING
