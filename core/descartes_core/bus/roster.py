"""Who is at the bus, as the hub told, and whether news of it were missed."""

from __future__ import annotations

from descartes_core.bus.messages import Peer, PeerUpdate, Welcome


class Roster:
    """All peers, out of a welcome and the numbered news since then."""

    def __init__(self) -> None:
        self.peers: dict[str, Peer] = {}
        #: Whether another welcome is wanted.
        self.is_behind = False
        self._told = 0

    def begin(self, welcome: Welcome) -> None:
        """Begin with what a welcome tells."""
        # The dictionary stays the same one: others look at it.
        self.peers.clear()
        self.peers |= {peer.name: peer for peer in welcome.peers if peer.state != "gone"}
        self._told, self.is_behind = welcome.told, False

    def misses(self, told: int | None) -> bool:
        """Say whether the hub has told more than came."""
        self.is_behind |= told is not None and told > self._told
        return self.is_behind

    def take(self, update: PeerUpdate) -> bool:
        """Take the next news; False where they are old, or others are missing before them."""
        if update.number is not None:
            if update.number != self._told + 1:
                return False
            self._told = update.number
        if update.peer.state == "gone":
            self.peers.pop(update.peer.name, None)
        else:
            self.peers[update.peer.name] = update.peer
        return True


def has_come(before: Peer | None, peer: Peer) -> bool:
    """Say whether somebody is there who was not, or is there anew."""
    is_there = before is not None and before.state == "connected" and before.generation == peer.generation
    return peer.state == "connected" and not is_there
