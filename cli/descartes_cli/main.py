"""Parse, run one verb, turn errors into exit codes."""

from __future__ import annotations

import os
import sys

import click

from descartes_cli.lazy import LazyGroup
from descartes_cli.render import printable
from descartes_core import VERSION
from descartes_core.errors import DescartesError

#: As the shell has it for a program that Ctrl-C, or a closed pipe, has ended.
INTERRUPTED, BROKEN_PIPE = 130, 141

VERBS = {
    "demo": ("descartes_cli.demo:demo", "See the main job done on real input, checked, in under 15 s."),
    "spawn": ("descartes_cli.spawn:spawn", "Start an agent in a workspace."),
    "ps": ("descartes_cli.ps:ps", "List sessions and agents."),
    "attach": ("descartes_cli.attach:attach", "Use an agent's terminal."),
    "logs": ("descartes_cli.logs:logs", "Read what an agent said."),
    "send": ("descartes_cli.send:send", "Type text into an agent."),
    "wait": ("descartes_cli.wait:wait", "Wait for an agent's end; end with its exit code."),
    "stop": ("descartes_cli.stop:stop", "Ask agents to end; kill them after their grace."),
    "kill": ("descartes_cli.kill:kill", "The same; with --force kill them at once."),
    "pause": ("descartes_cli.pause:pause", "Halt agents and everything they started."),
    "resume": ("descartes_cli.resume:resume", "Let paused agents go on."),
    "events": ("descartes_cli.events:events", "Read what happened."),
    "sessions": ("descartes_cli.sessions:sessions", "Workspaces and their daemons."),
    "supervisor": ("descartes_cli.supervisor:supervisor", "The process that keeps everything alive."),
}

descartes = LazyGroup(
    "descartes",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Keep coding agents running in many workspaces, and lose none of them.",
    epilog="descartes VERB --help explains a verb. Exit codes: 0 done, 1 failed, 2 usage, 3 no such thing, "
    "4 cannot be reached or started, 5 refused.",
)
click.version_option(VERSION, prog_name="descartes", message="%(prog)s %(version)s")(descartes)


def main() -> None:
    """Run as a program."""
    if "_DESCARTES_COMPLETE" in os.environ:
        descartes.main(prog_name="descartes")  # a shell asks what may follow, in click's own way
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name still shows the rest
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except OSError as error:
        _forget_stdout()
        _tell(f"{error.filename or 'input or output'}: {error.strerror or error}")
        return 1
    return code


def _run(arguments: list[str]) -> int:
    try:
        with descartes.make_context("descartes", arguments) as context:
            code = descartes.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except DescartesError as error:
        _tell(error.message)
        return error.exit
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "descartes"
        _tell(f"{error.format_message()} ({path} --help shows how)")
        return 2
    except click.ClickException as error:
        _tell(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED


def _tell(message: str) -> None:
    """Write an error: one line; what a log said comes indented below it."""
    first, *more = message.rstrip("\n").split("\n")
    click.echo(f"descartes: {printable(first)}", err=True)
    for line in more:
        click.echo(f"  {printable(line)}", err=True)


def _forget_stdout() -> None:
    """Keep the interpreter from complaining, at its end, that it cannot write what is still buffered."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
