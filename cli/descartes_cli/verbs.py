"""All verbs, read with click."""

from __future__ import annotations

import click

from descartes_cli.lazy import LazyGroup
from descartes_cli.render import say_wrong
from descartes_core import VERSION
from descartes_core.errors import DescartesError

VERBS = {
    "demo": ("descartes_cli.demo:demo", "See the main job done on real input, checked, in under 15 s."),
    "spawn": ("descartes_cli.spawn:spawn", "Start an agent in a workspace."),
    "ps": ("descartes_cli.ps:ps", "List sessions and agents."),
    "attach": ("descartes_cli.attach:attach", "Use an agent's terminal."),
    "logs": ("descartes_cli.logs:logs", "Read what an agent said."),
    "replay": ("descartes_cli.replay:replay", "Show an agent's terminal again, as it was."),
    "export": ("descartes_cli.export:export", "Write an agent's recording into a file."),
    "import": ("descartes_cli.importing:import_", "Make an agent of a recording (.cast)."),
    "screen": ("descartes_cli.showing:screen", "Show what an agent's terminal shows."),
    "audit": ("descartes_cli.audit:audit", "Tell who typed into an agent, and how much."),
    "send": ("descartes_cli.send:send", "Type text into an agent."),
    "wait": ("descartes_cli.wait:wait", "Wait for an agent's end; end with its exit code."),
    "stop": ("descartes_cli.stop:stop", "Ask agents to end; kill them after their grace."),
    "kill": ("descartes_cli.kill:kill", "The same; with --force kill them at once."),
    "pause": ("descartes_cli.pause:pause", "Halt agents and everything they started."),
    "resume": ("descartes_cli.resume:resume", "Let paused agents go on."),
    "tasks": ("descartes_cli.tasks:tasks", "What is to be done in a workspace."),
    "events": ("descartes_cli.events:events", "Read what happened."),
    "history": ("descartes_cli.history:history", "Tell how agents came to where they are, and why."),
    "state": ("descartes_cli.state:state", "What agents keep under keys, and snapshots."),
    "hooks": ("descartes_cli.hooks:hooks", "Tell web addresses and commands of events."),
    "search": ("descartes_cli.search:search", "Find again what agents said, and what happened."),
    "signal": ("descartes_cli.signalling:signal", "Send agents a signal."),
    "sessions": ("descartes_cli.sessions:sessions", "Workspaces and their daemons."),
    "gc": ("descartes_cli.gc:gc", "Remove old output and old events."),
    "config": ("descartes_cli.config:config", "What is configured, and where it comes from."),
    "upgrade": ("descartes_cli.upgrade:upgrade", "Let everything go on with the code that was just installed."),
    "supervisor": ("descartes_cli.supervisor:supervisor", "The process that keeps everything alive."),
    "hub": ("descartes_cli.hub:hub", "The middle of the bus between machines."),
    "runner": ("descartes_cli.runner:runner", "Lend this machine to daemons elsewhere."),
    "runners": ("descartes_cli.runners:runners", "Machines that run agents for others."),
    "system": ("descartes_cli.system:system", "The daemons themselves."),
    "doctor": ("descartes_cli.doctor:doctor", "Look for what is wrong, and say what to type."),
    "completion": ("descartes_cli.completion:completion", "Print what makes a shell complete these commands."),
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


def run_verb(arguments: list[str]) -> int:
    """Run one verb and return its exit code; the errors of click's own are told here.

    Raises:
        DescartesError: what the verb could not do.
        KeyboardInterrupt: Ctrl-C.

    """
    try:
        with descartes.make_context("descartes", arguments) as context:
            code = descartes.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "descartes"
        say_wrong(f"{error.format_message()} ({path} --help shows how)")
        return 2
    except click.ClickException as error:
        say_wrong(error.format_message())
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None


def complete() -> int:
    """Answer a shell that asks what may follow, in click's own way; who is in mid-line is told of no error."""
    try:
        descartes.main(prog_name="descartes")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except (DescartesError, OSError, ValueError):
        return 1
    return 0
