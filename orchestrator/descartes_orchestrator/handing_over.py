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
    """Let this process have nothing but these, in this order from 3 on, with an output, and an empty input."""
    first_free = FIRST + len(descriptors)
    # All are moved out of the way first: a source may lie where another is to go.
    moved = [fcntl.fcntl(source, fcntl.F_DUPFD, first_free) for source in [output, *descriptors]]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(moved[0], 1)
    os.dup2(moved[0], 2)
    for number, descriptor in enumerate(moved[1:], start=FIRST):
        os.dup2(descriptor, number)
    # Ports, terminals and locks of other sessions must not live on in this one.
    os.closerange(first_free, _HIGHEST)


def variables(names: Sequence[str]) -> dict[str, str]:
    """Return what tells this very process of its descriptors."""
    told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(names))}
    told["LISTEN_FDNAMES"] = ":".join(names[:_NAMES_A_VARIABLE])
    for number, first in enumerate(range(_NAMES_A_VARIABLE, len(names), _NAMES_A_VARIABLE), start=2):
        told[f"LISTEN_FDNAMES_{number}"] = ":".join(names[first : first + _NAMES_A_VARIABLE])
    return told
