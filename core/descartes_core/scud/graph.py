"""SCUD's graph, `tasks.scg`, as text.

Any text is read, and none is refused: what is wrong with it stands in the faults. A phase that nobody changed is
written as it was read, byte for byte. A changed one is written as SCUD writes it: then spaces within rows, the order of
sections, blank lines and comments above rows are SCUD's; every line that is not understood is kept in its section.
"""

from __future__ import annotations

from itertools import pairwise

from descartes_core.scud.canonical import write_phase
from descartes_core.scud.reading import read_phase
from descartes_core.scud.rows import SEPARATOR, is_phase, separators
from descartes_core.scud.task import Fault, Graph, Phase


def parse(text: str) -> Graph:
    """Return all phases of a graph; bytes that are no UTF-8 are decoded with `surrogateescape` before."""
    preface, sources = _split(text)
    phases: list[Phase] = []
    faults: list[Fault] = []
    if preface.strip():
        faults.append(Fault(1, "", "this is no graph of SCUD: it has no phase"))
    tags: set[str] = set()
    number = preface.count("\n") + 1
    for source in sources:
        phase, wrong = read_phase(source, number)
        if phase.tag in tags:
            wrong.append(Fault(number, phase.tag, f"phase {phase.tag} stands twice: SCUD knows the last only"))
        tags.add(phase.tag)
        phases.append(phase)
        faults += wrong
        number += source.count("\n")
    return Graph(tuple(phases), tuple(faults), preface)


def write(graph: Graph) -> str:
    """Return the text of a graph."""
    text = graph.preface
    for phase in graph.phases:
        is_unchanged = bool(phase.source) and read_phase(phase.source)[0] == phase
        written = phase.source if is_unchanged else write_phase(phase)
        if text and not written.startswith(SEPARATOR):
            text += ("" if text.endswith("\n") else "\n") + f"\n{SEPARATOR}\n\n"
        text += written
    return text


def _split(text: str) -> tuple[str, list[str]]:
    """Return what stands before the first phase, and each phase with the separator before it."""
    starts = [0, *separators(text), len(text)]
    preface: list[str] = []
    sources: list[list[str]] = []
    for start, end in pairwise(starts):
        piece = text[start:end]
        if is_phase(piece):
            sources.append([piece])
        else:
            (sources[-1] if sources else preface).append(piece)
    return "".join(preface), ["".join(pieces) for pieces in sources]
