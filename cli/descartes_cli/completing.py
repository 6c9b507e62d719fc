"""Complete names of agents and sessions while a command line is typed."""

from __future__ import annotations

import re

import click
from click.shell_completion import CompletionItem

from descartes_cli.render import printable

#: What every shell takes as one word and as it stands. A name may come from a cloned workspace: one that a shell would
#: read otherwise must not get into a line that is about to be run.
_PLAIN = re.compile(r"\w[\w.+@-]*")
#: Daemons that take longer than this are left out: who types waits for nobody (seconds).
_DEADLINE = 0.3
#: Verbs that are used on agents that have ended.
_OF_THE_PAST = {"audit", "delete", "events", "get", "history", "logs", "query", "screen", "set", "wait"}


def agents(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the agents whose name, or id, begins so: those alive, for what reads the past ended ones too."""
    from descartes_cli.asking import Question, answered, ask_all
    from descartes_local.home import find_home
    from descartes_local.run_file import read_run_files

    runs = {run.session_id: run for run in read_run_files(find_home())}
    which = {"all": context.info_name in _OF_THE_PAST}
    asked = {key: Question(run.socket, "agent.list", which) for key, run in runs.items()}
    found = [
        (agent, runs[key].name)
        for key, answer in answered(ask_all(asked, deadline=_DEADLINE))
        for agent in answer["agents"]
    ]
    return [
        CompletionItem(name, help=printable(f"{agent['name']}, {agent['status']} in {session}"))
        for agent, session in found
        for name in _names(agent["name"], agent["id"], incomplete)
    ]


def sessions(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the sessions once used whose name, or id, begins so; a path is completed as a directory."""
    from descartes_local.home import find_home
    from descartes_orchestrator.sessions import known

    if incomplete.startswith(("/", ".", "~")):
        return [CompletionItem(incomplete, type="dir")]
    return [
        CompletionItem(name, help=printable(f"{session.name}, {session.status.value} {session.path}"))
        for session in known(find_home())
        for name in _names(session.name, session.id, incomplete)
    ]


def peers(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return those enrolled at the hub here whose name begins so: for what is done to a runner, and --on, runners."""
    from descartes_cli.asking import Question, answered, ask_all
    from descartes_core.ids import HUB_ID
    from descartes_local.home import find_home

    is_spawn = parameter.name == "on"
    asked = {"role": "runner"} if is_spawn or context.command_path.endswith(("drain", "remove")) else {}
    question = {"hub": Question(str(find_home().daemon_socket(HUB_ID)), "hub.peers", asked)}
    rows = [row for _, answer in answered(ask_all(question, deadline=_DEADLINE)) for row in answer["peers"]]
    words = {row["name"].partition("/")[0]: f"{row['role']}, {row['state']}" for row in rows}
    if is_spawn:
        words |= {label: "label" for row in rows for label in row["labels"]} | {"any": "the least loaded one"}
    return [
        CompletionItem(word, help=printable(what))
        for word, what in words.items()
        if word.startswith(incomplete) and _PLAIN.fullmatch(word)
    ]


def hooks(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the hooks of Active sessions whose name, or id, begins so."""
    from descartes_cli.asking import Question, answered, ask_all
    from descartes_local.home import find_home
    from descartes_local.run_file import read_run_files

    asked = {run.session_id: Question(run.socket, "hook.list", {}) for run in read_run_files(find_home())}
    return [
        CompletionItem(name, help=printable(f"{hook['name']}, {hook['state']}"))
        for _, answer in answered(ask_all(asked, deadline=_DEADLINE))
        for hook in answer["hooks"]
        for name in _names(hook["name"], hook["hook_id"], incomplete)
    ]


def _names(name: str, identity: str, incomplete: str) -> list[str]:
    """Return the name, or the id for who has begun to type one, and of what bears a name that is no plain word."""
    if name.startswith(incomplete):
        return [name if _PLAIN.fullmatch(name) else identity]
    return [identity] if incomplete and identity.startswith(incomplete) else []
