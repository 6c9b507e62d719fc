"""Read our own source: budgets, captions, mirror, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOORS = {
    "core": ROOT / "core/descartes_core",
    "local": ROOT / "core/descartes_local",
    "daemon": ROOT / "daemon/descartes_daemon",
    "orchestrator": ROOT / "orchestrator/descartes_orchestrator",
    "cli": ROOT / "cli/descartes_cli",
}


def sources() -> list[Path]:
    """Return every source file of the five packages."""
    return sorted(path for floor in FLOORS.values() for path in floor.rglob("*.py"))


def every_test() -> list[Path]:
    """Return every file of tests, the programs of agents and bench apart."""
    return sorted(path for path in (ROOT / "tests").rglob("*.py") if not {"agents", "bench"} & set(path.parts))


def name_of(path: Path) -> str:
    """Return how a file is called in a report."""
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


def caption_of(path: Path) -> str:
    """Return the first paragraph of the module's docstring, empty where there is none."""
    return (ast.get_docstring(tree_of(path)) or "").split("\n\n")[0].replace("\n", " ")


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with its number of lines, docstring apart."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = 0
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.end_lineno:
                docstring = first.end_lineno - first.lineno + 1
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


@cache
def imports_of(path: Path) -> set[str]:
    """Return the top-level packages a file imports, inside functions too."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def calls_of(path: Path) -> set[str]:
    """Return the calls of the form `module.name(…)` in a file."""
    called = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    return {
        f"{called_on.value.id}.{called_on.attr}"
        for called_on in called
        if isinstance(called_on, ast.Attribute) and isinstance(called_on.value, ast.Name)
    }


def events_of(path: Path) -> set[tuple[str, str]]:
    """Return type and event_type of the events that a file tells by these words."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            words = [part.value if isinstance(part, ast.Constant) else None for part in node.args[:2]]
            if node.func.attr == "event" and len(words) == 2 and all(isinstance(word, str) for word in words):
                found.add((str(words[0]), str(words[1])))
            elif (
                node.func.attr in ("tell", "_event") and words and isinstance(words[0], str) and words[0].isidentifier()
            ):
                found.add(("SystemEvent", words[0]))  # Daemon.tell and its like
    return found
