"""The supervisor's numbers, from the user's configuration where there is one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from descartes_core.restart import RestartRule
from descartes_local.config_places import is_configured
from descartes_local.home import Home
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.ports import BASES, Pair


@dataclass(frozen=True, slots=True)
class Numbers:
    """All times are seconds."""

    rule: RestartRule = field(default_factory=RestartRule)
    #: A daemon must be ready within this time.
    ready_deadline: float = 30.0
    #: New code must show within this time that it can go on; what is under way must end within as much.
    renewal_deadline: float = 15.0
    #: A daemon that somebody suspects must answer within this time; 0 means that none is killed for its silence.
    hang_deadline: float = 5.0
    #: The supervisor ends when it has kept nothing for this long.
    linger: float = 10.0
    #: What a daemon is given after TERM where the caller does not say.
    stop_grace: float = 10.0
    #: What the kernel is given to end what was killed.
    kill_bound: float = 5.0
    bases: Pair = BASES


def read_numbers(home: Home, environ: Mapping[str, str] = os.environ) -> Numbers:
    """Return the numbers.

    Raises:
        ConfigInvalid: the configuration is wrong.

    """
    numbers = _configured(home) if is_configured(home) else Numbers()
    linger = environ.get("DESCARTES_SUPERVISOR_LINGER", "")
    try:
        return replace(numbers, linger=float(linger)) if linger else numbers
    except ValueError:
        note(f"DESCARTES_SUPERVISOR_LINGER is no number of seconds: {linger}")
        return numbers


def _configured(home: Home) -> Numbers:
    # pydantic costs more than all the rest: only who has a configuration pays.
    from descartes_local.config import load

    told = load(home).supervisor
    rule = RestartRule(
        stable=told.stable,
        first_pause=told.first_pause,
        longest_pause=told.longest_pause,
        early_deaths=told.early_deaths,
        deaths=told.deaths,
        window=told.window,
    )
    return Numbers(
        rule=rule,
        ready_deadline=told.ready_deadline,
        renewal_deadline=told.renewal_deadline,
        hang_deadline=told.hang_deadline,
        linger=told.linger,
        stop_grace=told.stop_grace,
        bases=(told.http_base, told.ws_base),
    )
