"""Find again what agents said, and what happened."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.asking import Question, ask_all
from descartes_cli.client import change, read
from descartes_cli.finding import find_agent
from descartes_cli.render import print_json, printable, say, say_wrong
from descartes_cli.session_named import around, find_session
from descartes_cli.sessions_group import sessions_of_group
from descartes_core.errors import DescartesError, InvalidParams
from descartes_core.ids import short
from descartes_core.quantities import brief_bytes
from descartes_local.home import Home, find_home
from descartes_local.run_file import read_run_files
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes search deadlock worker
  descartes search '"connection reset" OR time*' --agent fixer --since 2h
  descartes search 'migrat*' --kind event --all-sessions --json | jq .results
  descartes search --semantic "why do the workers hang"
"""
_KINDS = ("output", "input", "event", "task", "transcript")
#: Longer than a daemon takes for what it was asked to wait.
_DEADLINE = 15.0


@click.command("search", epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="WORD…")
@click.option("--agent", metavar="AGENT", shell_complete=options.complete_agents, help="Only what this agent said.")
@click.option("--task", metavar="ID", help="Only what belongs to this task.")
@click.option("--since", type=options.Moment(), metavar="WHEN", help="Only what came since: 1h, 2026-11-22T08:00Z.")
@click.option("--all-sessions", "everywhere", is_flag=True, help="Look in Inactive sessions, too; none is started.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only these; repeatable.")
@click.option("--semantic", is_flag=True, help="What is like it, too, in other words.")
@click.option("--group", metavar="NAME", help="Only in the sessions of this group (search.groups).")
@click.option(
    "--limit", type=click.IntRange(1, 200), default=20, show_default=True, metavar="N", help="So many at most."
)
@click.option("--status", "is_status", is_flag=True, help="Tell how far the index is, and what it takes.")
@click.option("--rebuild", "is_rebuild", is_flag=True, help="Remove the index, and make it anew.")
@options.session
@options.as_json
def search(
    words: tuple[str, ...],
    agent: str | None,
    task: str | None,
    since: str | None,
    everywhere: bool,
    kinds: tuple[str, ...],
    semantic: bool,
    group: str | None,
    limit: int,
    is_status: bool,
    is_rebuild: bool,
    session: str | None,
    as_json: bool,
) -> int:
    """Find words again in what agents said, in events, tasks and transcripts of the sessions that are Active.

    All words must stand in one passage; "words in quotes" as they stand, beginning*, this OR that, -not. The best come
    first. The offset opens what is around it: descartes logs AGENT --from OFFSET. -s starts an Inactive session.
    """
    home = find_home()
    if is_status or is_rebuild:
        return _index(home, session, as_json, "search.rebuild" if is_rebuild else "search.status")
    if not words:
        raise click.UsageError("say what to look for")
    if group is not None and (agent or session):
        raise click.UsageError("--group names the sessions: leave out -s and --agent")
    wanted: dict[str, Any] = {"query": " ".join(words), "kinds": list(kinds), "limit": limit}
    if semantic:
        wanted["semantic"] = True
    wanted |= {key: value for key, value in (("task_id", task), ("since", since)) if value is not None}
    only: set[str] | None = None
    if agent is not None:
        found = find_agent(home, agent, session)
        wanted["agent_id"], only = found.id, {str(found.agent["session_id"])}
    elif session is not None:
        meant = find_session(home, session)
        only = {meant.id}
        sessions.start(home, meant)
    elif group is not None:
        only = sessions_of_group(home, group)
    answers = _ask(home, wanted, only, is_alone=not everywhere)
    if everywhere and only is None:
        from descartes_cli.search_resting import ask_resting  # what is known of them costs more imports

        answers |= ask_resting(home, answers.keys(), wanted)
    return _print(answers, limit, as_json)


def _ask(home: Home, wanted: dict[str, Any], only: set[str] | None, *, is_alone: bool) -> dict[str, tuple[str, Any]]:
    """Return each session's name and answer, or the error why there is none."""
    runs = [run for run in read_run_files(home) if only is None or run.session_id in only]
    if not runs and is_alone:
        say_wrong("no sessions are active; -s SESSION starts one, --all-sessions looks in all")
    answers = ask_all(
        {run.session_id: Question(run.socket, "search.query", wanted) for run in runs}, deadline=_DEADLINE
    )
    return {run.session_id: (run.name, answers[run.session_id]) for run in runs}


def _print(answers: dict[str, tuple[str, Any]], limit: int, as_json: bool) -> int:
    wrong: list[DescartesError] = []
    results: list[dict[str, Any]] = []
    for name, answer in answers.values():
        if isinstance(answer, InvalidParams):
            raise answer
        if isinstance(answer, DescartesError):
            say_wrong(f"{name} tells nothing: {answer.message}")
            wrong.append(answer)
            continue
        results += answer["results"]
        if answer["behind"]:
            say_wrong(f"{name}: {brief_bytes(answer['behind'])} are not in the index yet")
        if answer["missing"]:
            say_wrong(f"{name}: {answer['missing']:,} passages cannot be compared yet")
    results = sorted(results, key=lambda result: -result["score"])[:limit]
    names = {key: name for key, (name, _) in answers.items()}
    if as_json:
        print_json({"results": results})
    else:
        for result in results:
            say(_line(result, names if len(names) > 1 else {}))
        if not results and len(wrong) < len(answers):
            say("nothing found")
    return wrong[0].exit if wrong else 0


def _line(result: dict[str, Any], names: dict[str, str]) -> str:
    who = result["agent"] or (short(result["agent_id"]) if result["agent_id"] else "-")
    where = f"{names.get(result['session_id'], result['session_id'])}/" if names else ""
    kind = result["kind"] if result["stream"] != "stderr" else "stderr"
    told = f"{result['at'][:19]}Z  {kind:6}  {where}{who}  {result['offset']}  {result['snippet']}"
    return printable(told)


def _index(home: Home, session: str | None, as_json: bool, method: str) -> int:
    """Tell of one session's index, or have it made anew."""
    meant = around(home, session, "-s SESSION")
    socket = str(sessions.start(home, meant)["socket"])
    told = change(socket, method, {}) if method == "search.rebuild" else read(socket, method, {})
    if as_json:
        print_json(told)
        return 0
    say(f"passages  {told['passages']:,}, since {told['oldest'] or '-'}")
    say(f"on disk   {brief_bytes(told['bytes'])}" + (f", {told['dropped']:,} dropped" if told["dropped"] else ""))
    if told["embedder"] is not None:
        missing = f", {told['missing']:,} missing" if told["missing"] else ""
        say(f"vectors   {told['hot']:,} mapped, {told['warm']:,} in the index{missing} ({told['embedder']})")
    if told["cold"]:
        say(f"cold      {brief_bytes(told['cold'])} of compressed output")
    say(f"behind    {brief_bytes(told['behind'])}" + (", being read now" if told["running"] else ""))
    if told["trouble"]:
        say_wrong(told["trouble"])
    return 0
