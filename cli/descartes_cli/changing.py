"""Ask for one change of several agents, all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from descartes_cli.asking import Question, ask_all
from descartes_cli.client import LONGEST
from descartes_cli.finding import Found, Search
from descartes_cli.hanging import SILENCE, suspect
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable
from descartes_core.errors import DaemonUnreachable, DescartesError
from descartes_core.ids import new_id
from descartes_local.home import find_home


def change_agents(
    names: Sequence[str], session: str | None, question: Callable[[Found], tuple[str, Mapping[str, Any]]], as_json: bool
) -> int:
    """Find each, ask for the change, tell what came of it; return the worst exit code.

    What is not found is told, and the others are still done.
    """
    search = Search(find_home(), session)
    found: dict[str, Found] = {}
    failed: list[DescartesError] = []
    for name in names:
        try:
            agent = search.find(name)
        except DescartesError as error:
            failed.append(error)
        else:
            found[agent.id] = agent
    with lasting(f"waiting for {', '.join(printable(agent.name) for agent in found.values())}"):
        answers = _ask({identity: _question(agent, *question(agent)) for identity, agent in found.items()})
    changed = [
        answers[identity].get("agent", agent.agent)
        for identity, agent in found.items()
        if not isinstance(answers[identity], DescartesError)
    ]
    if as_json:
        print_json({"agents": changed})
    else:
        for agent in changed:
            click.echo(f"{printable(agent['name'])}  {agent['status']}")
    failed += [answer for answer in answers.values() if isinstance(answer, DescartesError)]
    for failure in failed:
        click.echo(f"descartes: {printable(failure.message)}", err=True)
    return max((failure.exit for failure in failed), default=0)


def _question(agent: Found, method: str, params: Mapping[str, Any]) -> Question:
    return Question(agent.socket, method, {**params, "agent_id": agent.id, "request_id": new_id()})


def _ask(questions: Mapping[str, Question]) -> dict[str, Any]:
    """Ask all; those whose connection broke once more, with the same request_id."""
    answers = ask_all(questions, deadline=LONGEST, on_silence=(SILENCE, suspect))
    broken = {key: questions[key] for key, answer in answers.items() if isinstance(answer, DaemonUnreachable)}
    return {key: (answers | ask_all(broken, deadline=LONGEST))[key] for key in questions} if broken else answers
