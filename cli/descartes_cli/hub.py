"""The verbs about the hub; without one, it runs here."""

from __future__ import annotations

import click

from descartes_cli.lazy import LazyGroup

VERBS = {
    "start": ("descartes_cli.hub_life:start", "Start the hub, and let this machine's daemons belong to it."),
    "stop": ("descartes_cli.hub_life:stop", "End the hub; agents everywhere go on."),
    "status": ("descartes_cli.hub_life:status", "Tell how it is."),
    "logs": ("descartes_cli.hub_logs:logs", "Read what it noted."),
    "enroll": ("descartes_cli.hub_peers:enroll", "Print a token that lets a machine or a program in, once."),
    "peers": ("descartes_cli.hub_peers:peers", "List who is enrolled, and who is there."),
    "revoke": ("descartes_cli.hub_peers:revoke", "Let somebody in no more, at once."),
    "join": ("descartes_cli.hub_life:join", "Let this machine's daemons belong to a hub elsewhere."),
}

_EXAMPLES = """\b
Examples:
  descartes hub                                # in the foreground, until Ctrl-C
  descartes hub start
  descartes hub enroll --role runner --name big --label gpu
"""


@click.pass_context
def _run_here(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        from descartes_cli.hub_here import run_here  # only who runs it here pays for it

        run_here()


hub = LazyGroup(
    "hub",
    verbs=VERBS,
    callback=_run_here,
    invoke_without_command=True,
    epilog=_EXAMPLES,
    help="The middle of the bus between machines: it lets in whom you enrolled, and forwards. Without a verb it runs "
    "here, in the foreground.",
)
