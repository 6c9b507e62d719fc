"""The verbs about the configuration."""

from __future__ import annotations

from descartes_cli.lazy import LazyGroup

VERBS = {
    "show": ("descartes_cli.config_show:show", "Every key, its value, and where that comes from."),
    "init": ("descartes_cli.config_init:init", "Write an example of every key, to be changed."),
    "check": ("descartes_cli.config_check:check", "Tell all that is wrong in a file."),
}

config = LazyGroup(
    "config",
    verbs=VERBS,
    help="What is configured: environment before files before defaults, per key (docs/configuration.md).",
)
