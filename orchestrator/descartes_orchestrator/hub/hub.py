"""The hub as a whole: put together, run, taken down."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import zmq

from descartes_local.bus_file import keys_in
from descartes_local.home import Home, make_private
from descartes_orchestrator.hub.conversation import Conversation
from descartes_orchestrator.hub.enrolment import Enrolment
from descartes_orchestrator.hub.exchange import Exchange
from descartes_orchestrator.hub.joining import keys_of
from descartes_orchestrator.hub.mail import Mail
from descartes_orchestrator.hub.roll import Roll
from descartes_orchestrator.hub.router import Router
from descartes_orchestrator.hub.settings import Settings
from descartes_orchestrator.hub.tally import Tally
from descartes_orchestrator.hub.verbs import Verbs
from descartes_orchestrator.hub.zap import Doorkeeper
from descartes_orchestrator.supervisor.door import Door
from descartes_orchestrator.supervisor.loop import Loop, Timer

#: Milliseconds.
_LAST_WORDS = 200
#: Seconds. Later than this, and we stood still ourselves, or the machine did, or had no processor for us.
_LATE = 0.05


class Hub:
    """One ROUTER, one door, one loop."""

    def __init__(self, home: Home, settings: Settings, listener: socket.socket) -> None:
        """Put it together.

        Raises:
            ConfigInvalid: its key, or the file of who is enrolled, cannot be read.
            Unavailable: its directory cannot be used, or its endpoint not be bound.

        """
        make_private(directory_of(home))
        keys = keys_of(keys_in(home, "hub.key"))
        self._loop, self._context = Loop(), zmq.Context()
        self._context.setsockopt(zmq.MAX_SOCKETS, 64)
        self._tally = Tally()
        enrolment = Enrolment(directory_of(home) / "peers.json", time.time)
        self._roll = Roll(settings.heartbeat_secs, settings.misses, secrets.token_hex(3), settings.max_agents)
        self._doorkeeper = Doorkeeper(self._loop, self._context, enrolment.lets_in)
        self._router = Router(self._loop, self._context, keys)
        self._mail = Mail(self._router, self._roll, self._tally)
        self._exchange = Exchange(enrolment, self._roll, self._mail, self._tally, self._router)
        self._router.take = self._exchange.take
        self._conversation = Conversation(
            settings, enrolment, self._roll, self._mail, self._exchange, self._tally, self._arm
        )
        verbs = Verbs(settings, keys, enrolment, self._roll, self._conversation, lambda: asdict(self._tally))
        self._door = Door(self._loop, listener, verbs.take)
        self._timer: Timer | None = None
        self._due = 0.0
        self.status = 0
        try:
            self._router.listen(settings.endpoint)
        except Exception:
            self.close()
            raise
        verbs.endpoint = self._router.endpoint

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return self._router.endpoint

    def run(self, on_signal: Callable[[int], None]) -> None:
        """Run until something stops it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            self._loop.on_signal(number, lambda number=number: on_signal(number))  # type: ignore[misc]
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self._loop.run(self._router.look)

    @property
    def loop(self) -> Loop:
        """What it runs on."""
        return self._loop

    def stop(self, status: int = 0) -> None:
        """End after this round, with this status."""
        self.status = status
        self._loop.stop()

    def leave(self, status: int) -> None:
        """Tell everybody, and end."""
        self._mail.now = time.monotonic()
        self._conversation.leave()
        self.stop(status)

    def close(self) -> None:
        """Let go of everything; last words have a moment to go out."""
        self._router.close(linger=_LAST_WORDS)
        self._doorkeeper.close()
        self._door.close()
        self._context.destroy(linger=_LAST_WORDS)
        self._loop.close()

    def _arm(self) -> None:
        """Look for the silent when somebody may be; nobody there, nothing to look for."""
        due = self._roll.due()
        if due is None or (self._timer is not None and self._due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.later(max(0.0, due - time.monotonic()), self._look)

    def _look(self) -> None:
        self._timer = None
        late = time.monotonic() - self._due
        if late > _LATE:
            self._roll.forgive(late)
        self._router.look()  # what has come already was said in time
        self._mail.now = time.monotonic()
        self._conversation.look()
        self._arm()


def directory_of(home: Home) -> Path:
    """Return where the hub keeps who is enrolled."""
    return home.path / "hub"
