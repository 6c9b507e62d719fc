from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.bus.messages import Peer
from descartes_core.bus.placing import place
from descartes_core.errors import Refused

SINCE = "2026-01-01T00:00:00.000000Z"


def runner(name: str, **fields: Any) -> Peer:
    """Return a runner that is there, but for what is said otherwise."""
    known = {"role": "runner", "state": "connected", "key": "k" * 40, "since": SINCE, "capacity": 10}
    return Peer(name=name, **{**known, **fields})


peers = st.lists(
    st.builds(
        Peer,
        name=st.sampled_from(["big", "small", "gpu", "any"]),
        role=st.sampled_from(["runner", "daemon", "client"]),
        state=st.sampled_from(["connected", "lost"]),
        key=st.just("k"),
        since=st.just(SINCE),
        labels=st.lists(st.sampled_from(["gpu", "arm", "big"]), unique=True).map(tuple),
        capacity=st.integers(0, 3),
        agents=st.integers(0, 3),
        load=st.floats(0, 4),
        is_draining=st.booleans(),
    ),
    unique_by=lambda one: one.name,
)


@given(peers, st.sampled_from(["any", "big", "gpu", "gpu,arm", "nobody"]))
def test_who_is_chosen_may_take_it_and_nobody_fits_better(known: list[Peer], on: str) -> None:
    try:
        chosen = place(on, known)
    except Refused as refused:
        told = refused.message
    else:
        assert is_fit(chosen, on)
        return
    meant = [one for one in known if one.role == "runner"]
    meant = [one for one in meant if one.name == on] or meant
    assert not any(is_fit(one, on) for one in meant)
    assert all(one.name in told for one in meant)


def is_fit(one: Peer, on: str) -> bool:
    """Say whether a runner may take what is to run on this."""
    has_room = not one.capacity or one.agents < one.capacity
    is_there = (one.role, one.state, one.is_draining) == ("runner", "connected", False)
    return has_room and is_there and (on in ("any", one.name) or set(on.split(",")) <= set(one.labels))


def test_the_least_loaded_is_chosen() -> None:
    half, empty = runner("half", agents=5), runner("much", agents=5, capacity=100)
    assert place("any", [half, empty]) == empty
    assert place("any", [runner("busy", load=2.0), runner("calm", load=0.5)]).name == "calm"
    assert place("any", [runner("b"), runner("a")]).name == "a"


def test_what_is_on_its_way_counts() -> None:
    known = [runner("a"), runner("b", agents=1)]
    assert place("any", known, {"a": 2}).name == "b"
    with pytest.raises(Refused, match=r"a is full \(10 of 10\)"):
        place("a", known, {"a": 10})


def test_a_name_goes_before_a_label() -> None:
    known = [runner("gpu", agents=9), runner("other", labels=("gpu",))]
    assert place("gpu", known).name == "gpu"


def test_all_labels_are_wanted() -> None:
    known = [runner("a", labels=("gpu",)), runner("b", labels=("gpu", "big"))]
    assert place("gpu, big", known).name == "b"


def test_a_refusal_says_why_of_each() -> None:
    known = [
        runner("full", agents=10),
        runner("gone", state="lost"),
        runner("old", is_draining=True),
    ]
    with pytest.raises(Refused) as refused:
        place("any", known)
    assert refused.value.message == (
        f"no runner for any: full is full (10 of 10); gone is lost since {SINCE}; old is draining"
    )
    with pytest.raises(Refused, match="full is not labelled gpu, arm"):
        place("gpu,arm", known)
    with pytest.raises(Refused, match="full is neither called nor labelled bigg"):
        place("bigg", known)
    with pytest.raises(Refused, match="no runner is connected"):
        place("any", [runner("laptop", role="daemon")])
