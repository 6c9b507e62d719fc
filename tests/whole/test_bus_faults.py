"""Agents elsewhere outlive a bad wire, a cut one, and the deaths of everybody between them and who asked for them."""

from __future__ import annotations

import random
import signal

import pytest

from descartes_core.errors import DescartesError, NeverSpawned, Unavailable
from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection
from tests.support.bus_blows import BusBlows
from tests.support.bus_storm import BusStorm, bus_storm
from tests.support.machine import signal_all
from tests.support.person import Person
from tests.support.storm import PATIENCE
from tests.support.waiting import wait_until
from tests.support.wire import permitted

pytestmark = pytest.mark.skipif(not permitted(), reason="network namespaces are not permitted here")

#: Of a hub that is soon missed.
_QUICK = "[hub]\nheartbeat_secs = 0.3\n"


@pytest.mark.timeout(180)
def test_nothing_is_lost_or_done_twice(person: Person) -> None:
    dice = random.Random(17)
    with bus_storm(person.directory, 1, dice, _QUICK) as storm:
        storm.begin(3)
        _ends_behind_a_cut_wire(storm)
        blows = BusBlows(storm.wire, storm.machines, dice, lengths=(0.2, 1.0))
        blows.strike(["hub", "runner"], "cut and kill")
        blows.strike(["daemon", "its supervisor"], "kill")
        blows.strike(["hub", "runner", "daemon"], "hold")
        blows.strike(["hub", "daemon", "supervisor"], "kill")
        storm.settle()
        assert not (complaints := storm.complaints()), "\n".join(complaints)


def _ends_behind_a_cut_wire(storm: BusStorm) -> None:
    """What is said and how it ends while nobody hears it is known afterwards."""
    word = storm.desk.person.directory / "end"
    waits = f"until test -e {word}; do sleep 0.05; done; echo said to nobody; exit 42"
    told = storm.ask("agent.spawn", command=["sh", "-c", waits], on="r1")["agent"]
    storm.wire.faults.is_cut = True
    wait_until(lambda: storm.state(told["id"]) == "lost", "it is lost", PATIENCE)
    word.touch()
    wait_until(lambda: not storm.has_process(told["id"]), "it has ended", PATIENCE)
    storm.wire.faults.is_cut = False
    assert storm.ask("agent.wait", agent_id=told["id"], timeout=PATIENCE)["agent"]["exit_code"] == 42
    assert storm.log(told["id"]) == b"said to nobody\r\n"


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_a_spawn_is_not_acknowledged_before_it_is_known(person: Person) -> None:
    """Its daemon was killed, the next one lost it, and answered the repeat as if it ran."""
    with bus_storm(person.directory, 1, random.Random(17), _QUICK) as storm:
        storm.begin(0)
        identity, mark = new_id(), storm.desk.person.directory / "mark"
        program = ["sh", "-c", f"echo ran >> {mark}; exec cat"]
        spawn = {"agent_id": identity, "request_id": new_id(), "command": program, "on": "r1"}
        runner = storm.runners[0].find("daemon")
        signal_all([runner], signal.SIGSTOP)
        with pytest.raises(DescartesError), Connection(storm.socket, timeout=1.0) as connection:
            connection.call("agent.spawn", spawn)
        assert storm.state(identity) == "initializing"
        signal_all([storm.desk.find("daemon")], signal.SIGKILL)
        wait_until(lambda: storm.state(identity) == "lost", "it is lost", PATIENCE)
        with pytest.raises(Unavailable, match="not known yet"):
            storm.ask("agent.spawn", **spawn)
        signal_all([runner], signal.SIGCONT)
        wait_until(lambda: storm.state(identity) != "lost", "it is known", PATIENCE)
        try:
            told = storm.ask("agent.spawn", **spawn)["agent"]
        except NeverSpawned:
            assert not mark.exists()
        else:
            assert (told["status"], mark.read_text()) == ("running", "ran\n")
            assert None not in (told["pid"], told["started_at"])
