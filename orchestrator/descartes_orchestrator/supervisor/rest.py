"""What a session's agents left, ended with it."""

from __future__ import annotations

from collections.abc import Callable

from descartes_orchestrator.supervisor.belongings import Belongings
from descartes_orchestrator.supervisor.house import House
from descartes_orchestrator.supervisor.vigil import Vigil


class Rest:
    """Ended once, and waited for; nothing is under way before."""

    def __init__(self, house: House, belongings: Belongings, on_over: Callable[[], None]) -> None:
        self._house, self._belongings, self._on_over = house, belongings, on_over
        self._vigil: Vigil | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody is waited for."""
        return self._vigil is None or self._vigil.is_over

    def is_gone(self, *, lets_go: bool) -> bool:
        """End what must not stay, once, and say whether all of it is gone."""
        if self._vigil is None:
            goes = lets_go or not self._belongings.keeping.agents
            killed = self._belongings.end_rest() if goes else set()
            self._vigil = Vigil(self._house.loop, killed, self._house.numbers.kill_bound, self._on_over)
        return self._vigil.is_over

    def forget(self) -> None:
        """Begin anew: there may be something to end again."""
        self._vigil = None
