"""`descartes ps` with fifty agents, whole process."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.figures import Figure, interleaved, median, ms
from tests.bench.ground import running_session
from tests.support.programs import installed

AGENTS, ROUNDS = 50, 20


def measure() -> list[Figure]:
    """Run it beside a bare interpreter and the import of click."""
    with running_session() as ground:
        ground.fill(AGENTS)
        assert len(ground.person.run("ps", "--json").json["agents"]) == AGENTS
        ours, wide, bare, click = interleaved(
            ROUNDS,
            lambda: _run(installed("descartes"), "ps"),
            lambda: _run(installed("descartes"), "ps", "--wide"),
            lambda: _run(sys.executable, "-c", "pass"),
            lambda: _run(sys.executable, "-c", "import click"),
        )
    verdict = f"{median(ours) / median(click):.2f} × `import click`"
    return [
        Figure(
            f"`descartes ps`, {AGENTS} agents, whole process",
            ms(ours),
            f"bare interpreter {ms(bare)}, `import click` {ms(click)}",
            "≤ 60 ms",
            verdict,
        ),
        Figure(
            f"`descartes ps --wide`, {AGENTS} agents, whole process",
            ms(wide),
            f"`descartes ps` {ms(ours)}",
            "none",
            f"{median(wide) / median(ours):.2f} × `descartes ps`",
        ),
    ]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
