"""Start an agent in a workspace."""

from __future__ import annotations

import os
from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import change, exit_status
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable, say_wrong
from descartes_cli.session_named import around
from descartes_cli.surroundings import (
    callers_environment,
    callers_size,
    callers_umask,
    check_text,
    directory_for,
    is_text,
    read_additions,
    read_size,
)
from descartes_cli.wait import wait_for_end
from descartes_core.errors import NeverSpawned
from descartes_core.ids import new_id, short
from descartes_local.home import find_home
from descartes_orchestrator import sessions

#: The daemon itself bounds how long an exec may take.
_TIMEOUT = 60.0
#: How long it waits for a runner that has room, where nobody says (agent.spawn).
_QUEUED = 300.0
_EXAMPLES = """\b
Examples:
  descartes spawn ~/projects/shop --name fixer -- claude "make the tests pass"
  descartes spawn --attach -- bash
  descartes spawn --no-tty --wait -- make test
  descartes spawn --memory 2G --cpus 1.5 --pids 200 --timeout 2h -- claude
  descartes spawn --task 3.1 -- claude "do task 3.1"
  descartes spawn --on big -- make test
  descartes spawn --on gpu,linux --queue --within 1h -- python3 train.py
"""


class _CommandAfterDashes(click.Command):
    """Keeps everything behind the first -- as the agent's command, options of its own and all."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, command = args, []
        if "--" in args:
            at = args.index("--")
            before, command = args[:at], args[at + 1 :]
        ctx.meta["command"] = command
        return super().parse_args(ctx, before)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*filter(None, super().collect_usage_pieces(ctx)), "[-- COMMAND …]"]


@click.command("spawn", cls=_CommandAfterDashes, epilog=_EXAMPLES)
@click.argument("workspace", required=False, metavar="[WORKSPACE]", shell_complete=options.complete_sessions)
@click.argument("stray", nargs=-1, metavar="")
@click.option("--name", help="What to call it; default: the program's name and the beginning of its id.")
@click.option("--cwd", metavar="DIR", help="Where it begins; see above.")
@click.option("--env", "additions", multiple=True, metavar="NAME=VALUE", help="One more variable; may be repeated.")
@click.option(
    "--no-tty", is_flag=True, help="Without a terminal: stdout and stderr are two logs, and send writes to stdin."
)
@click.option("--size", metavar="120x40", help="Size of its terminal; default: that of yours.")
@click.option("--grace", type=options.Seconds(0, 3600), metavar="SECONDS", help="From being asked to being killed.")
@click.option("--leave", is_flag=True, help="What it leaves behind may live on until its session stops.")
@click.option(
    "--memory", type=options.MEMORY, metavar="2G", help="The most memory of its whole tree; over it, it ends."
)
@click.option(
    "--cpus", type=click.FloatRange(0.01, 10_000), metavar="1.5", help="How many processors it may keep busy."
)
@click.option(
    "--pids", type=click.IntRange(1, 4_194_304), metavar="200", help="The most processes and threads; likewise."
)
@click.option("--timeout", type=options.TIME, metavar="2h", help="The most time from its start; likewise.")
@click.option(
    "--on",
    metavar="RUNNER",
    shell_complete=options.complete_peers,
    help="Run it on another machine: a runner's name, labels (gpu,linux), or any.",
)
@click.option("--queue", is_flag=True, help="Where no runner has room for it now: wait for one.")
@click.option(
    "--within",
    type=options.TIME,
    metavar="5m",
    help="Until when it must run, else not at all; default with --queue: 5m.",
)
@click.option(
    "--task", metavar="TASK", help="The task it works on (descartes tasks list); it has it as DESCARTES_TASK_ID."
)
@click.option("--attach", "then_attach", is_flag=True, help="Use its terminal at once.")
@click.option("--wait", "then_wait", is_flag=True, help="Wait for its end, and end with its exit code.")
@options.as_json
@click.pass_context
def spawn(context: click.Context, /, workspace: str | None, stray: tuple[str, ...], **given: Any) -> int:
    """Start a program as an agent, in a terminal of its own or without one, with your environment.

    WORKSPACE is a session's id, prefix or name, or a path; default: the workspace around the current directory, else
    the active session (descartes sessions use). COMMAND stands behind --; default: the configured one, else $SHELL.

    The agent begins in --cwd; else in the current directory, or in the workspace when one is named that you are not in.
    On a runner (--on) it begins in --cwd as it is there, else in a directory of its own, with the runner's environment
    and that of --env.
    """
    if stray:
        raise click.UsageError(f"put -- before the command: descartes spawn {workspace} -- {' '.join(stray)}", context)
    if given["then_attach"] and given["then_wait"]:
        raise click.UsageError("--attach waits for the end already: leave out --wait", context)
    if given["no_tty"] and (given["then_attach"] or given["size"]):
        raise click.UsageError("--attach and --size are for a terminal: leave them out, or --no-tty", context)
    if given["queue"] and not given["on"]:
        raise click.UsageError("--queue waits for a runner: say which with --on", context)
    home = find_home()
    session = around(home, workspace, "descartes spawn WORKSPACE …")
    cwd = given["cwd"] if given["on"] else directory_for(given["cwd"], session.path, is_named=bool(workspace))
    wish = _wish(context.meta["command"], given, cwd)
    with lasting("waiting for a runner" if given["queue"] else f"starting in {printable(session.name)}"):
        started = sessions.start(home, session)
        agent = _spawn(started["socket"], wish)
    if given["as_json"]:
        print_json(agent)
    elif not given["then_attach"]:
        click.echo(f"{printable(agent['name'])}  {agent['id']}")
        if not given["then_wait"]:
            click.echo(_hint(agent), err=True)
    if given["then_attach"]:
        from descartes_cli.attach import run_attached  # only who attaches pays for it

        return run_attached(started["socket"], agent)
    return exit_status(wait_for_end(started["socket"], agent["id"])) if given["then_wait"] else 0


def _hint(agent: dict[str, Any]) -> str:
    """Return what to type next."""
    if agent["tty"]:
        return f"descartes attach {short(agent['id'])} opens its terminal"
    return f"descartes logs -f {short(agent['id'])} shows what it says"


def _wish(command: list[str], given: dict[str, Any], cwd: str | None) -> dict[str, Any]:
    """Return the parameters of agent.spawn; on another machine the caller's surroundings are nobody's."""
    wish: dict[str, Any] = {
        "command": [check_text(word) for word in command],
        "extra_env": read_additions(given["additions"]),
        "umask": callers_umask(),
        "leave": given["leave"],
    }
    if cwd is not None:
        wish["cwd"] = check_text(cwd)
    if given["on"] is None:
        wish["env"] = _environment()
    elif given["queue"]:
        wish["queue"] = True
    if given["no_tty"]:
        wish["tty"] = False
    elif (size := read_size(given["size"]) if given["size"] else callers_size()) is not None:
        wish["cols"], wish["rows"] = size
    check_text(given["name"] or "")
    if limits := {key: given[key] for key in ("memory", "cpus", "pids", "timeout") if given[key] is not None}:
        wish["limits"] = limits
    return wish | {key: given[key] for key in ("name", "grace", "on", "within", "task") if given[key] is not None}


def _spawn(socket: str, wish: dict[str, Any]) -> dict[str, Any]:
    """Spawn once; where the daemon was killed before the program ran, once more as a new agent."""
    timeout = _TIMEOUT + wish.get("within", _QUEUED if wish.get("queue") else 0.0)
    try:
        reply = change(socket, "agent.spawn", {**wish, "agent_id": new_id()}, timeout=timeout)
    except NeverSpawned:
        reply = change(socket, "agent.spawn", {**wish, "agent_id": new_id()}, timeout=timeout)
    agent: dict[str, Any] = reply["agent"]
    return agent


def _environment() -> dict[str, str]:
    passed = callers_environment(os.environ)
    left_out = sorted(name for name, value in os.environ.items() if not (is_text(name) and is_text(value)))
    if left_out:
        say_wrong(f"no UTF-8, and so not passed on: {', '.join(left_out)}")
    return passed
