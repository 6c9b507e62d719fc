"""Write the pages that are made from the source, or check them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from bus_page import message_reference
from commands import command_reference
from event_page import event_reference
from method_page import method_reference
from settings import configuration
from tables import table

from descartes_core import agent_life, session_life
from descartes_core.errors import DescartesError, all_errors

DOCS = Path(__file__).parent
MARK = "<!-- Made by docs/generate.py: change the source it names, then run `make docs`. -->\n\n"


Table = Mapping[tuple[StrEnum, StrEnum], agent_life.Move | session_life.Move]


def lifecycle() -> str:
    """Return the page of the two lives."""
    return (
        "# The two lives\n\n"
        "A session and an agent each have one table, in `descartes_core/session_life.py` and "
        "`descartes_core/agent_life.py`, and nothing else decides a transition: (state, cause) → state and effects. "
        "Causes are what happened; effects are what must be done about it, after the move is stored. "
        "A cause that a state does not have is refused (`illegal_transition`) and changes nothing.\n\n"
        + _life("Session", session_life.TABLE, set(), session_life.State.INACTIVE)
        + "\n"
        + _life("Agent", agent_life.TABLE, set(agent_life.FINAL), agent_life.State.INITIALIZING)
    )


def _life(title: str, moves: Table, final: set[StrEnum], first: StrEnum) -> str:
    drawn: dict[tuple[str, str], list[str]] = {}
    for (state, cause), move in moves.items():
        drawn.setdefault((state.value, move.to.value), []).append(cause.value)
    arrows = [f"    [*] --> {first.value}"]
    arrows += [f"    {was} --> {to}: {', '.join(causes)}" for (was, to), causes in drawn.items()]
    arrows += [f"    {state.value} --> [*]" for state in sorted(final)]
    rows = [
        (f"`{state.value}`", f"`{cause.value}`", f"`{move.to.value}`", ", ".join(f"`{part}`" for part in move.effects))
        for (state, cause), move in moves.items()
    ]
    ended = f"Final: {', '.join(f'`{state.value}`' for state in sorted(final))}.\n\n" if final else ""
    drawing = "```mermaid\nstateDiagram-v2\n" + "\n".join(arrows) + "\n```\n\n"
    return f"## {title}\n\n{drawing}{ended}" + table(("from", "cause", "to", "effects"), rows)


def error_reference() -> str:
    """Return the page of all errors."""
    head = (
        "# Errors\n\n"
        "Every door tells an error in the same way: a stable `code` for programs, a sentence for people. Over JSON-RPC "
        '`{"code": NUMBER, "message": SENTENCE, "data": {"code": CODE, "status": HTTP}}`; the command line prints the '
        "sentence on stderr and ends with the exit code. Made from `descartes_core/errors.py`.\n\n"
    )
    rows = [
        (
            f'<a id="{error.code}"></a>`{error.code}`',
            _error_doc(error),
            str(error.status),
            str(error.rpc),
            str(error.exit),
        )
        for error in all_errors()
    ]
    return head + table(("code", "what is wrong", "HTTP", "JSON-RPC", "exit"), rows) + EXIT_CODES


EXIT_CODES = """
## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed |
| 2 | usage: the command or the configuration is wrong |
| 3 | no such thing |
| 4 | it cannot be reached or started |
| 5 | refused: state, limit, conflict |

`wait`, `spawn --wait` and `attach` end with the agent's own exit code, 128 + n when signal n ended it. Where that could
be one of the codes above, `wait --json` tells: it prints the agent when it has ended, and nothing on an error.
"""


def _error_doc(error: type[DescartesError]) -> str:
    return (error.__doc__ or "").strip().partition("\n")[0]


PAGES: Mapping[str, Callable[[], str]] = {
    "bus-messages.md": message_reference,
    "cli.md": command_reference,
    "configuration.md": configuration,
    "errors.md": error_reference,
    "events.md": event_reference,
    "http.md": method_reference,
    "lifecycle.md": lifecycle,
}


def main() -> int:
    """Write all pages; with `--check` write none and tell which are stale."""
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, MARK + page().rstrip("\n") + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not check:
            path.write_text(text)
    if check and stale:
        print(f"stale: {', '.join(stale)}; run `make docs` and commit", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
