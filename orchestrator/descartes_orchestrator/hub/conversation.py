"""What the hub answers to what is said to itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from descartes_core.bus import messages as m
from descartes_core.bus.codec import encode
from descartes_core.bus.link import GREET, major
from descartes_core.errors import DescartesError, Forbidden, ProtocolError
from descartes_orchestrator.hub.enrolment import Enrolled, Enrolment, Invited
from descartes_orchestrator.hub.exchange import Exchange
from descartes_orchestrator.hub.mail import Mail
from descartes_orchestrator.hub.rights import FOR_THE_DAEMON, HEARS_OF, MAY_LIST
from descartes_orchestrator.hub.roll import MOST_SESSIONS, Connection, Present, Roll
from descartes_orchestrator.hub.settings import Settings
from descartes_orchestrator.hub.tally import Tally
from descartes_orchestrator.supervisor.journal import note

#: What it calls peers whose last try was refused: why.
Refusals = dict[str, str]


class Conversation:
    """Greets, beats, lists, enrols."""

    def __init__(
        self,
        settings: Settings,
        enrolment: Enrolment,
        roll: Roll,
        mail: Mail,
        exchange: Exchange,
        tally: Tally,
        on_change: Callable[[], None],
    ) -> None:
        self._settings, self._enrolment, self._roll, self._mail = settings, enrolment, roll, mail
        self._exchange, self._tally, self._on_change = exchange, tally, on_change
        #: By name; until they are let in.
        self.refusals: Refusals = {}
        self._began = time.monotonic()
        exchange.hub = self

    def take(self, sender: Connection, message: m.Message) -> None:
        """Do what somebody asked of the hub.

        Raises:
            ProtocolError: it is nothing that one says to a hub.
            Forbidden: it is not for this role.
            DescartesError: why it cannot be done.

        """
        if isinstance(message, m.Heartbeat):
            self._beat(sender, message)
        elif isinstance(message, m.Hello):
            self._greet(sender, message)
        elif isinstance(message, m.Goodbye):
            self._leave(sender)
        elif isinstance(message, m.HealthCheckRequest):
            self._mail.answer(sender, self._health(message))
        elif isinstance(message, m.PeersRequest):
            self._mail.answer(sender, self._peers(sender, message))
        elif sender.who.role == "client" and isinstance(message, FOR_THE_DAEMON):
            self._exchange.forward_to(sender, self._roll.only_daemon(), encode(message), message)
        elif isinstance(message, m.EnrollRequest):
            raise Forbidden(f"this key is enrolled already, as {sender.who.name}")
        else:
            raise ProtocolError(f"a hub is not told {_kind(message)}: name the peer it is for")

    def enroll(self, route: bytes, invited: Invited, message: m.Message) -> None:
        """Do what somebody asked by an invitation's key.

        Raises:
            ProtocolError: it asks for something else.

        """
        if not isinstance(message, m.EnrollRequest):
            raise ProtocolError("with an invitation's key there is only enroll_request")
        try:
            made = self._enrolment.redeem(invited.key, message.public_key, message.name, message.role)
        except (DescartesError, OSError) as error:
            code = error.code if isinstance(error, DescartesError) else "unavailable"
            answer = m.EnrollResponse(request_id=message.request_id, success=False, error=str(error), code=code)
        else:
            note(f"enrolled: {made.role} {made.name}")
            self._tally.enrolled += 1
            role: m.Role = made.role  # type: ignore[assignment] # checked when it was invited
            answer = m.EnrollResponse(
                request_id=message.request_id, success=True, name=made.name, role=role, labels=made.labels
            )
        self._tally.answered += 1
        self._mail.post(route, encode(answer))

    def look(self) -> float | None:
        """Say who is lost by now, and forget who was for long; return when to look again (monotonic)."""
        wall = time.time()
        for present in self._roll.silent(self._mail.now):
            self._tally.lost += 1
            note(f"lost: {present.who.role} {present.name} has not been heard for three heartbeats or so")
            self._end(present, "gone" if present.who.role == "client" else "lost")
        for present in self._roll.forgotten(wall):
            self._end(present, "gone")
        return self._roll.due()

    def leave(self) -> None:
        """Say goodbye to everybody: they try again until the next hub is there."""
        for present in self._roll.by_name.values():
            if present.connection is not None:
                self._mail.say(present.connection, m.Goodbye(reason="the hub ends"))

    def revoke(self, name: str) -> Enrolled:
        """Know a key no longer, its living connections either.

        Raises:
            NotFound: nobody has that name.
            OSError: it cannot be written.

        """
        who = self._enrolment.revoke(name)
        self._exchange.forget(who)
        for present in [one for one in self._roll.by_name.values() if one.who.key == who.key]:
            self._end(present, "gone")
        self.refusals.pop(name, None)
        return who

    def drain(self, name: str, *, is_drained: bool) -> Enrolled:
        """Have a runner get no more agents, or some again.

        Raises:
            NotFound: no runner has that name.
            OSError: it cannot be written.

        """
        who = self._enrolment.drain(name, is_drained=is_drained)
        for connection in [one for one in self._roll.by_route.values() if one.who.key == who.key]:
            connection.who = who
        present = self._roll.by_name.get(name)
        if present is not None:
            present.who = who
            self._mail.spread(present)
        return who

    def _beat(self, sender: Connection, beat: m.Heartbeat) -> None:
        if sender.present is None:
            if sender.who.role != "client":
                self._mail.dismiss(sender, "say hello first", GREET)
                return
        else:
            interval = sender.present.interval
            if self._roll.beat(sender.present, beat, self._mail.now):
                self._mail.spread(sender.present)
            if sender.present.interval != interval:
                self._on_change()
        self._mail.answer(sender, m.Heartbeat(told=self._mail.number(sender.who.role)))

    def _greet(self, sender: Connection, hello: m.Hello) -> None:
        refused = self._refused(sender, hello)
        if refused is not None:
            code, reason = refused
            note(f"refused ({code}): {reason}")
            self.refusals[sender.who.name] = reason
            self._mail.dismiss(sender, reason, code)
            return
        rival = self._roll.rival(sender, hello)
        if rival is not None and rival.hello.generation != hello.generation:
            older, newer = sorted((rival.hello.generation, hello.generation))
            reason = f"{hello.name} is here twice, as generation {older} and {newer}: the larger goes on"
            note(reason)
            if hello.generation == older:
                self.refusals[sender.who.name] = reason
                self._mail.dismiss(sender, reason, "twin")
                return
            if rival.connection is not None:
                self._mail.dismiss(rival.connection, reason, "twin")
        elif hello.role != "client":
            self.refusals.pop(sender.who.name, None)
        is_known = sender.present is not None and sender.present.hello == hello
        present = self._roll.greet(sender, hello, self._mail.now, time.time())
        self._tally.greeted += 1
        self._mail.answer(sender, self._welcome(present))
        if not is_known:
            note(f"connected: {hello.role} {present.name} {hello.title}")
            self._mail.spread(present)
        self._on_change()

    def _refused(self, sender: Connection, hello: m.Hello) -> tuple[str, str] | None:
        """Say why somebody is not who it says it is, or does not speak as we do: a code, a reason."""
        who = sender.who
        if major(hello.protocol_version) != major(m.PROTOCOL_VERSION):
            spoken = f"{who.name} speaks protocol {hello.protocol_version[:20]}, and this hub {m.PROTOCOL_VERSION}"
            return "version", spoken
        if hello.role != who.role:
            return "forbidden", f"{who.name} is enrolled as a {who.role}, and greets as a {hello.role}"
        return None if who.role == "client" else self._refused_name(sender, hello.name)

    def _refused_name(self, sender: Connection, name: str) -> tuple[str, str] | None:
        who = sender.who
        home, slash, session = name.partition("/")
        if home != who.name or bool(slash) != (who.role == "daemon") or (slash and not _is_session(session)):
            return "impostor", f"{who.name} calls itself {name}, which is not the name its key is enrolled by"
        if sender.present is not None and sender.present.name != name:
            return "impostor", f"{sender.present.name} calls itself {name} too: each needs a connection of its own"
        if name not in self._roll.by_name and self._roll.sessions(who) >= MOST_SESSIONS:
            return "limit_reached", f"{who.name} has {MOST_SESSIONS} sessions here, which is the limit"
        return None

    def _leave(self, sender: Connection) -> None:
        present = sender.present
        if present is not None and present.connection is sender:
            self._end(present, "gone")
        else:
            self._roll.disconnect(sender)

    def _end(self, present: Present, state: Literal["lost", "gone"]) -> None:
        self._roll.end(present, state, time.time())
        self._mail.spread(present)

    def _welcome(self, present: Present) -> m.Welcome:
        settings = self._settings
        return m.Welcome(
            protocol_version=m.PROTOCOL_VERSION,
            server_id=settings.server_id,
            instance_id=settings.instance_id,
            heartbeat_secs=settings.heartbeat_secs,
            misses=settings.misses,
            status_interval_secs=settings.status_update_interval_secs,
            status_updates=settings.enable_status_updates,
            told=self._mail.number(present.hello.role),
            peers=tuple(
                self._mail.told(one)
                for one in self._roll.by_name.values()
                if one is not present
                and one.hello.role in HEARS_OF[present.hello.role]
                and (one.hello.role != "client" or one.hello.updates)
            ),
        )

    def _health(self, asked: m.HealthCheckRequest) -> m.HealthCheckResponse:
        settings = self._settings
        return m.HealthCheckResponse(
            request_id=asked.request_id,
            healthy=True,
            protocol_version=m.PROTOCOL_VERSION,
            uptime_secs=time.monotonic() - self._began,
            active_agents=self.agents(),
            metadata={
                "server_id": settings.server_id,
                "endpoint": settings.endpoint,
                "max_agents": settings.max_agents,
            },
        )

    def agents(self) -> int:
        """Return how many agents all connected runners run."""
        there = (one for one in self._roll.by_name.values() if one.connection is not None)
        return sum(one.beat.agents or 0 for one in there if one.who.role == "runner")

    def _peers(self, sender: Connection, asked: m.PeersRequest) -> m.PeersResponse:
        allowed = MAY_LIST[sender.who.role]
        if asked.role is not None and asked.role not in allowed:
            raise Forbidden(f"a {sender.who.role} is not told of {asked.role}s")
        found = (one for one in self._roll.by_name.values() if one.hello.role in allowed)
        told = (self._mail.told(one) for one in found if asked.role in (None, one.hello.role))
        return m.PeersResponse(request_id=asked.request_id, success=True, peers=tuple(told))


def _is_session(text: str) -> bool:
    return bool(text) and text.isprintable() and not set("/#") & set(text)


def _kind(message: m.Message) -> str:
    return str(getattr(message, "type", "that"))
