"""What the original's backends run: a name and a task become a command."""

from __future__ import annotations

from collections.abc import Mapping

from descartes_core.bus.messages import AgentConfig
from descartes_core.errors import InvalidParams


def command_of(config: AgentConfig) -> tuple[str, ...]:
    """Return what is to run: the command that is given, else what the backend's name means.

    Raises:
        InvalidParams: there is no such backend.

    """
    backend = config.model_backend
    if config.command or not backend:
        return config.command
    if backend in ("claude", "claude-code-cli"):
        return ("claude", config.task)
    if backend == "opencode":
        return ("opencode", "--headless", config.task)
    if "cli" in backend:
        return (backend.partition("-")[0], config.task)
    raise InvalidParams(f"there is no backend {backend[:100]!r}: give a command, or claude, opencode, or NAME-cli")


def environment_of(config: AgentConfig) -> Mapping[str, str]:
    """Return what is added to the environment."""
    told = {"AGENT_CONTEXT": config.context, "AGENT_SYSTEM_PROMPT": config.system_prompt}
    return {**config.environment, **{name: text for name, text in told.items() if text is not None}}
