"""SCUD's files, whatever is in them."""

from __future__ import annotations

from descartes_core.scud import checking, edits, graph, json_tree, rules

GRAPH = (
    b"# SCUD Graph v1\n# Phase: a\n\n@meta {\n  name a\n  updated x\n}\n\n"
    b"@nodes\n1 | One \\| | P | 3 | H\na:1.1 | T | X | 0 | L\n"
    b"\n@edges\n1 -> b:2\n\n@parents\n1: a:1.1\n\n@assignments\n1 | me | me | now\n\n@agents\n1 | x | fast\n"
    b"\n@details\n1 | description |\n  text\n\n  more\n\n"
    b"---\n\n# SCUD Graph v1\n# Epic: b\n@nodes\n2 | Two | ! | 1 | C\n"
)
WORDS = (
    b"@nodes\n",
    b"@edges\n",
    b"\n---\n",
    b" | ",
    b" -> ",
    b": ",
    b"\\",
    b"  ",
    b"# Phase: a\n",
    b"1",
    b"\r\n",
    b"\xff",
)
JSON = (b'{"a": {"name": "a", "tasks": [{"id": "1", "subtasks": ["1.1"]}]}}', b'[{"id": 1, "depends_on": [2]}]')


def read_graph(data: bytes) -> str:
    """Hold that it is written as it was read, and that all of it can be told."""
    text = data.decode("utf-8", "surrogateescape")
    read = graph.parse(text)
    assert graph.write(read) == text, "what was read is not what is written"
    str([rules.ready(read), rules.waves(read), rules.stats(read), checking.faults(read)]).encode()
    for task in read.tasks[:1]:
        changed = edits.set_status(text, task.tag, task.id, "failed")
        found = [one for one in graph.parse(changed).tasks if (one.id, one.tag) == (task.id, task.tag)]
        assert found[-1].status == "failed"
        assert abs(len(changed) - len(text)) <= max(map(len, text.split("\n")))
    return f"{len(read.phases)} phases, {len(read.tasks) > 0}, {len(read.faults)} faults"


def read_json(data: bytes) -> str:
    """Hold that all of it can be told."""
    read = json_tree.parse(data.decode("utf-8", "surrogateescape"))
    str([rules.ready(read), rules.waves(read), rules.stats(read), checking.faults(read)]).encode()
    return f"{len(read.phases)} phases, {len(read.tasks) > 0}, {len(read.faults)} faults"
