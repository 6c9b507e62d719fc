"""The house rules of docs/contributing.md hold."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from descartes_cli.options import complete_agents, complete_sessions
from descartes_cli.verbs import VERBS, descartes
from tests.support.house import (
    FLOORS,
    ROOT,
    calls_of,
    caption_of,
    every_test,
    functions_of,
    imports_of,
    name_of,
    sources,
)

LONGEST_FILE = 300
LONGEST_FUNCTION = 50
LONGEST_CAPTION = 16
#: Lists rather than logic: as long as there are entries.
LISTS = {"core/descartes_core/bus/messages.py", "core/descartes_core/methods.py"}

#: A library that one file alone imports, so that it can be replaced there.
ONLY_IN = {
    "aiosqlite": {"daemon/descartes_daemon/database.py"},
    "pyghostty": set(),  # ghostty_library.py uses its library, and nobody its Python
    "uvicorn": {"daemon/descartes_daemon/web.py"},
}

#: What makes the command line slow; a quick verb imports none of it, by no detour.
SLOW = ("asyncio", "pydantic", "psutil", "starlette", "uvicorn", "zmq")
#: These read the configuration or search for workspaces, whose models cost 0.1 s.
THOROUGH = {"config", "demo", "doctor", "sessions"}
QUICK = sorted({where.partition(":")[0] for verb, (where, _) in VERBS.items() if verb not in THOROUGH})


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in sources()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE and name not in LISTS} == {}


def test_no_function_is_too_long() -> None:
    found = [(name_of(path), name, lines) for path in sources() for name, lines in functions_of(path)]
    assert [entry for entry in found if entry[2] > LONGEST_FUNCTION] == []


def test_every_file_has_a_caption_of_one_sentence() -> None:
    captions = {name_of(path): caption_of(path) for path in sources()}
    bad = {
        name: caption
        for name, caption in captions.items()
        if not caption.endswith((".", ":")) or ". " in caption or len(caption.split()) > LONGEST_CAPTION
    }
    assert bad == {}


@pytest.mark.parametrize("floor", ["core", "local"])
def test_each_file_below_has_its_own_tests(floor: str) -> None:
    rooms = {path.stem for path in FLOORS[floor].glob("*.py")} - {"__init__"}
    mirrored = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / floor).glob("test_*.py")}
    assert rooms == mirrored


def test_a_replaceable_library_is_imported_in_one_place() -> None:
    found = {library: {name_of(path) for path in sources() if library in imports_of(path)} for library in ONLY_IN}
    assert {library: files - ONLY_IN[library] for library, files in found.items() if files - ONLY_IN[library]} == {}


def test_tests_neither_sleep_nor_mock() -> None:
    bad = {
        name_of(path): sorted(calls_of(path) & {"time.sleep", "asyncio.sleep", "mock.patch"})
        for path in every_test()
        if calls_of(path) & {"time.sleep", "asyncio.sleep", "mock.patch"} or "unittest" in imports_of(path)
    }
    assert bad == {}


@pytest.mark.parametrize("module", QUICK)
def test_a_quick_verb_imports_nothing_slow(module: str) -> None:
    assert slow_imports(module) == ""


def test_the_supervisor_imports_nothing_slow() -> None:
    assert slow_imports("descartes_orchestrator.supervisor.__main__") == ""


def test_ps_imports_little() -> None:
    costly = ("click", "dataclasses", "descartes_orchestrator", "sqlite3", "subprocess", "uuid")
    assert imported_of(costly, "descartes_cli.fleet_table") == ""


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_link_in_the_docs_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert [(name_of(page), link) for page in pages for link in broken_links(page)] == []


def test_every_verb_has_examples() -> None:
    assert [path for path, verb in every_verb() if not (verb.epilog or "").startswith("\b\nExamples:\n  ")] == []


def test_a_shell_completes_every_agent_and_session() -> None:
    names = {"agent", "agents", "session", "workspace"}
    arguments = [(path, one) for path, verb in every_verb() for one in verb.params if one.name in names]
    assert len({path for path, _ in arguments}) > 20
    assert [(path, one.name) for path, one in arguments if is_incomplete(one)] == []


def slow_imports(module: str) -> str:
    """Return what an interpreter of its own has imported of the slow ones after this module."""
    return imported_of(SLOW, module)


def imported_of(unwanted: Sequence[str], module: str) -> str:
    """Return what an interpreter of its own has imported of these after a module."""
    code = f"import sys, {module}; print(*sorted(set({unwanted!r}) & set(sys.modules)), end='')"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def every_verb(group: click.Group = descartes, path: str = "descartes") -> Iterator[tuple[str, click.Command]]:
    """Yield each verb with all that is typed to call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_verb(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


def is_incomplete(parameter: click.Parameter) -> bool:
    """Whether a shell is told nothing of what may stand there."""
    return parameter._custom_shell_complete not in (complete_agents, complete_sessions)


def broken_links(page: Path) -> list[str]:
    """Return the links of a page to files that are not there."""
    links = [part.partition(")")[0].partition("#")[0] for part in page.read_text().split("](")[1:]]
    local = [link for link in links if link and not link.startswith(("http:", "https:", "mailto:"))]
    return [link for link in local if not (page.parent / link).exists()]
