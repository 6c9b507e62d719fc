"""Find the agent a person means, over all sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from descartes_cli.asking import Question, answered, ask_all
from descartes_cli.client import PATIENCE
from descartes_cli.hanging import suspect
from descartes_cli.render import say_wrong
from descartes_cli.session_named import find_session
from descartes_cli.stored import stored_agents, stored_sessions
from descartes_core.agent_life import FINAL
from descartes_core.errors import AgentNotFound, DaemonUnreachable, DeadlineOver
from descartes_core.ids import Named, resolve, short
from descartes_local.home import Home
from descartes_local.rpc_client import call
from descartes_local.run_file import RunFile, read_run_files
from descartes_orchestrator import sessions


@dataclass(frozen=True, slots=True)
class Found:
    """An agent as it was when it was found, and where its daemon listens."""

    agent: dict[str, Any]
    socket: str

    @property
    def id(self) -> str:
        """The agent's id."""
        return str(self.agent["id"])

    @property
    def name(self) -> str:
        """The agent's name."""
        return str(self.agent["name"])

    @property
    def has_ended(self) -> bool:
        """Whether it had ended."""
        return self.agent["status"] in FINAL


class Search:
    """Looks for agents; what was asked once is not asked again."""

    def __init__(self, home: Home, session: str | None = None) -> None:
        """Search in all sessions, or in the one that is meant.

        Raises:
            SessionNotFound: there is none.

        """
        self._home = home
        self._only = find_session(home, session).id if session else None
        self._runs = {run.session_id: run for run in read_run_files(home) if self._only in (None, run.session_id)}
        self._agents: dict[str, list[dict[str, Any]]] = {}
        self._silent: set[str] = set()
        self._given_up: dict[str, DaemonUnreachable] = {}

    def find(self, text: str) -> Found:
        """Return the one agent meant: among the living, else the ended, else those of inactive sessions.

        The daemon of an inactive session is started.

        Raises:
            AgentNotFound: nothing fits.
            Ambiguous: more than one fits.

        """
        stages: tuple[tuple[str, Callable[[], list[dict[str, Any]]]], ...] = (
            ("living", lambda: self._ask(ended=False)),
            ("ended", lambda: self._ask(ended=True)),
            ("inactive", self._inactive),
        )
        for stage, look in stages:
            if stage not in self._agents:
                self._agents[stage] = _each_once(look())
            agents = self._agents[stage]
            try:
                identity = resolve(text, map(_named, agents), AgentNotFound)
            except AgentNotFound:
                continue
            agent = next(agent for agent in agents if agent["id"] == identity)
            return Found(agent, self._socket(agent["session_id"]))
        raise AgentNotFound(f"no agent is called {text!r}; descartes ps -a lists all")

    def _ask(self, *, ended: bool) -> list[dict[str, Any]]:
        answers = ask_agents(self._runs.values(), ended=ended)
        found = [agent for _, answer in answered(answers) for agent in answer["agents"]]
        self._silent = self._runs.keys() - {key for key, _ in answered(answers)}
        for session_id in self._silent:
            found += stored_agents(self._home, session_id, ended=ended)
        return found

    def _inactive(self) -> list[dict[str, Any]]:
        here = [self._only] if self._only else stored_sessions(self._home)
        return [
            agent
            for session_id in here
            if session_id not in self._runs
            for agent in stored_agents(self._home, session_id, ended=True)
        ]

    def _socket(self, session_id: str) -> str:
        run = self._runs.get(session_id)
        if run is not None and session_id not in self._silent:
            return run.socket
        if run is not None and run.is_alive:
            if session_id in self._given_up:
                raise self._given_up[session_id]
            try:
                _wait_for(run)
            except DaemonUnreachable as error:
                self._given_up[session_id] = error
                raise
            self._silent.discard(session_id)
            return run.socket
        started = sessions.start(self._home, find_session(self._home, session_id))
        return str(started["socket"])


def _wait_for(run: RunFile) -> None:
    """Wait until a daemon that did not answer in time does.

    Raises:
        DaemonUnreachable: it does not.

    """
    say_wrong(f"the daemon of {run.name} (process {run.pid}) does not answer; waiting for it, {PATIENCE:g} s at most")
    if suspect(run.socket) in ("well", "killed", "gone"):
        return
    try:
        call(run.socket, "system.health", timeout=PATIENCE)
    except DeadlineOver:
        raise DaemonUnreachable(
            f"the daemon of {run.name} (process {run.pid}) does not answer: look at its daemon.log; "
            f"to end it and its agents: descartes sessions stop --force {short(run.session_id)}"
        ) from None
    except DaemonUnreachable:
        return  # it was killed meanwhile: whoever asks next waits for the one that follows


def find_agent(home: Home, text: str, session: str | None = None) -> Found:
    """Find one agent."""
    return Search(home, session).find(text)


def ask_agents(runs: Iterable[RunFile], *, ended: bool) -> dict[str, Any]:
    """Ask all daemons for their agents; answers and errors by session id."""
    return ask_all({run.session_id: Question(run.socket, "agent.list", {"all": ended}) for run in runs})


def _each_once(agents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the runner's side of what a session of this same home runs on it: the session's is meant."""
    ours = {agent["id"] for agent in agents if not agent.get("owner")}
    return [agent for agent in agents if not agent.get("owner") or agent["id"] not in ours]


def _named(agent: dict[str, Any]) -> Named:
    return Named(agent["id"], agent["name"], agent["status"] not in FINAL)
