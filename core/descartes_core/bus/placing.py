"""Which runner an agent goes to: the least loaded of those that may take it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from descartes_core.bus.messages import Peer
from descartes_core.errors import Refused

ANY = "any"
#: Of a runner that does not say how many agents it takes.
_CAPACITY = 100
_NOBODY: Mapping[str, int] = MappingProxyType({})


def place(on: str, peers: Iterable[Peer], coming: Mapping[str, int] = _NOBODY) -> Peer:
    """Return the runner for `on`: a runner's name, labels that it must all have (`gpu,big`), or `any`.

    `coming`: agents sent to each since it last told how many it has.

    Raises:
        Refused: none may take it now; the sentence says why of each.

    """
    runners = sorted((peer for peer in peers if peer.role == "runner"), key=lambda one: one.name)
    if not runners:
        raise Refused(
            "no runner is connected: `descartes runners list` shows those that the hub knows, "
            "`descartes hub enroll --role runner --name NAME` makes one known"
        )
    meant = [one for one in runners if one.name == on] or runners
    told = {one.name: _why_not(one, on, coming.get(one.name, 0)) for one in meant}
    fit = [one for one in meant if not told[one.name]]
    if not fit:
        raise Refused(f"no runner for {on}: " + "; ".join(f"{name} {why}" for name, why in told.items()))
    return min(fit, key=lambda one: (_share(one, coming.get(one.name, 0)), one.load, one.name))


def _why_not(runner: Peer, on: str, coming: int) -> str:
    wanted = [] if on in (ANY, runner.name) else [word.strip() for word in on.split(",") if word.strip()]
    if missing := [word for word in wanted if word not in runner.labels]:
        return f"is neither called nor labelled {on}" if wanted == [on] else f"is not labelled {', '.join(missing)}"
    if runner.state != "connected":
        return f"is {runner.state} since {runner.since}"
    if runner.is_draining:
        return "is draining"
    if runner.capacity and runner.agents + coming >= runner.capacity:
        return f"is full ({runner.agents + coming} of {runner.capacity})"
    return ""


def _share(runner: Peer, coming: int) -> float:
    return (runner.agents + coming) / (runner.capacity or _CAPACITY)
