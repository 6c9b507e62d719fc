"""How a hub notices that nobody keeps it."""

from __future__ import annotations

import pytest

from descartes_local import supervisor_client
from descartes_orchestrator.hub.keeper import Keeper
from descartes_orchestrator.supervisor.loop import Loop
from tests.support.person import Person


@pytest.mark.timeout(30)
def test_one_whose_supervisor_died_as_it_began_has_the_next_one_at_once(person: Person) -> None:
    """It waited ten seconds, and commands that found it meanwhile left it without one."""
    person.home.make()
    loop = Loop()
    found = []

    def follow() -> None:
        found.append(supervisor_client.connect(person.home))
        loop.stop()

    keeper = Keeper(loop, person.home, follow)
    loop.later(8.0, loop.stop)
    keeper.watch()
    loop.run(lambda: None)
    keeper.close()
    loop.close()
    assert found
    assert found[0] is not None
    found[0].close()
