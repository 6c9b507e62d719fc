"""What is asked of state and history."""

from __future__ import annotations

from descartes_daemon.ground import Ground
from descartes_daemon.state.changing import Changing
from descartes_daemon.state.history import History
from descartes_daemon.state.reading import Reading
from descartes_daemon.state.restoring import Restoring
from descartes_daemon.state.snapshots import Snapshots
from descartes_daemon.state.whose import Whose


class StateRoom:
    """The methods `state.*`, by their names."""

    def __init__(self, ground: Ground) -> None:
        whose = Whose(ground.agents)
        reading, changing = Reading(ground.store, whose), Changing(ground.store, whose)
        self.get, self.query = reading.get, reading.query
        self.set, self.delete = changing.set, changing.delete
        snapshots = Snapshots(ground.store)
        restoring = Restoring(ground.store, snapshots)
        self.snapshot, self.taken_before = snapshots.take, snapshots.taken_before
        self.snapshots, self.forget = snapshots.list, snapshots.forget
        self.restore, self.restored_before = restoring.restore, restoring.restored_before
        self.transitions = History(ground.store, whose).transitions


def open_room(ground: Ground) -> StateRoom:
    """Return what answers."""
    return StateRoom(ground)
