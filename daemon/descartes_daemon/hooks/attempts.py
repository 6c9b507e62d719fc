"""Try a letter once, the way its hook has; of each way few at a time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection
from functools import partial

from descartes_daemon.agents import Agents
from descartes_daemon.hooks.hook import Hook
from descartes_daemon.hooks.letter import Letter
from descartes_daemon.hooks.outcome import Outcome
from descartes_daemon.hooks.running import MARK, Run, run
from descartes_daemon.hooks.target import Target
from descartes_daemon.hooks.worker import Try
from descartes_daemon.surroundings import DENIED, bare
from descartes_local.config_sections import Hooks as Numbers
from descartes_local.processes import children_of_self
from descartes_local.tree import find_trees, kill_tree


class Attempts:
    """The ways to hooks, and the room there is on each."""

    def __init__(self, agents: Agents, workspace: str, numbers: Numbers) -> None:
        self._agents, self._workspace, self._numbers = agents, workspace, numbers
        self._posts, self._runs = asyncio.Semaphore(numbers.at_once), asyncio.Semaphore(numbers.at_once)

    def of(self, hook: Hook) -> Try:
        """Return what tries a letter to this hook."""
        if hook.url is None:
            return partial(self._run, hook)
        return partial(self._post, hook, Target.read(hook.url))

    async def _post(self, hook: Hook, target: Target, letter: Letter, before: int) -> Outcome:
        from descartes_daemon.hooks.posting import post  # only who has such a hook pays for it

        async with self._posts:
            return await post(
                target,
                letter.headers(hook.secret, int(time.time()), before + 1),
                letter.body,
                allow_private=hook.allow_private,
                timeout=self._numbers.timeout,
            )

    async def _run(self, hook: Hook, letter: Letter, before: int) -> Outcome:
        marks = {
            "DESCARTES_SESSION_ID": self._agents.place.session_id,
            "DESCARTES_SOCKET": self._agents.place.socket,
            "DESCARTES_EVENT": letter.event,
            "DESCARTES_DELIVERY": letter.delivery,
            "DESCARTES_ATTEMPT": str(before + 1),
        }
        async with self._runs:
            what = Run(
                hook_id=hook.id,
                command=hook.command or [],
                env={**surroundings(), **marks},
                cwd=self._workspace,
                timeout=self._numbers.command_timeout,
                helpers=self._agents.helpers,
                has_others=self._has_others,
            )
            return await run(what, letter.body)

    def _has_others(self) -> bool:
        """Say whether children are there that are neither agents nor run by us: what forked away comes to us."""
        leaders = {agent.process.pid for agent in self._agents.present.values() if agent.process is not None}
        return bool(set(children_of_self()) - leaders - self._agents.helpers)


def surroundings() -> dict[str, str]:
    """Return the environment of commands: the daemon's own, without what is about the daemon."""
    own = {name: value for name, value in os.environ.items() if name not in DENIED and "__" not in name}
    return bare() | {name: value for name, value in own.items() if not name.startswith(("DESCARTES_", "LISTEN_"))}


def end_left(hook_ids: Collection[str]) -> None:
    """Kill what commands of these hooks have left running under a daemon that was killed; in a thread."""
    found = find_trees(dict.fromkeys(hook_ids, ()), MARK)
    if left := set().union(*found.values()):
        kill_tree(lambda: left)
