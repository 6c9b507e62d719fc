"""Those who wait for a session to be started or stopped."""

from __future__ import annotations

from typing import Any

from descartes_core.errors import DescartesError
from descartes_orchestrator.supervisor.connections import Answer


class Callers:
    """Each is answered once."""

    def __init__(self) -> None:
        self._starters: list[Answer] = []
        self._stoppers: list[Answer] = []

    def __bool__(self) -> bool:
        return bool(self._starters or self._stoppers)

    @property
    def want_start(self) -> bool:
        """Whether anybody waits for a start."""
        return bool(self._starters)

    def wait_for_start(self, answer: Answer) -> None:
        """Answer this one when the daemon is ready."""
        self._starters.append(answer)

    def wait_for_stop(self, answer: Answer) -> None:
        """Answer this one when all of the session is gone."""
        self._stoppers.append(answer)

    def started(self, whereabouts: Any) -> None:
        """Tell who waited for a start where the daemon is."""
        starters, self._starters = self._starters, []
        for answer in starters:
            answer.give(whereabouts)

    def not_started(self, error: DescartesError) -> None:
        """Tell who waited for a start why there is none."""
        starters, self._starters = self._starters, []
        for answer in starters:
            answer.refuse(error)

    def stopped(self, failure: DescartesError | None = None) -> None:
        """Tell who waited for the stop that all is gone, or why not."""
        stoppers, self._stoppers = self._stoppers, []
        for answer in stoppers:
            if failure is None:
                answer.give({})
            else:
                answer.refuse(failure)
