"""What a started process finds: systemd's contract for descriptors and their names."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence

#: The first descriptor that is handed over (sd_listen_fds(3)).
FIRST = 3
_HIGHEST = 2**31 - 1
#: Linux takes 128 KiB in one variable, and a name may have 255 characters: those of 500 agents fit.
_NAMES_A_VARIABLE = 500


def arrange(output: int, descriptors: Sequence[int]) -> None:
    """Let this process have nothing but these, in this order from 3 on, with an output, and an empty input.

    It needs one free descriptor, however many there are: who was given most must be started also near the limit.
    """
    os.dup2(output, 1)
    os.dup2(output, 2)
    # Ports, terminals and locks of other sessions must not live on in this one.
    _close_all_but(descriptors)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    _move(list(descriptors))


def _close_all_but(descriptors: Sequence[int]) -> None:
    first = FIRST
    for descriptor in sorted(descriptors):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, _HIGHEST)


def _move(sources: list[int]) -> None:
    """Move these to 3 and on; one that lies where another is to go is moved out of the way first."""
    places = {source: place for place, source in enumerate(sources)}
    for place in range(len(sources)):
        source, target = sources[place], FIRST + place
        del places[source]
        if source == target:
            os.set_inheritable(target, True)
            continue
        if (other := places.pop(target, None)) is not None:
            sources[other] = fcntl.fcntl(target, fcntl.F_DUPFD, FIRST)
            places[sources[other]] = other
        os.dup2(source, target)
        os.close(source)


def variables(names: Sequence[str]) -> dict[str, str]:
    """Return what tells this very process of its descriptors."""
    told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(names))}
    told["LISTEN_FDNAMES"] = ":".join(names[:_NAMES_A_VARIABLE])
    for number, first in enumerate(range(_NAMES_A_VARIABLE, len(names), _NAMES_A_VARIABLE), start=2):
        told[f"LISTEN_FDNAMES_{number}"] = ":".join(names[first : first + _NAMES_A_VARIABLE])
    return told
