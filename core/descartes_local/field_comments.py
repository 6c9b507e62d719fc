"""Read what a model's source says of its fields: the `#:` comments above them."""

from __future__ import annotations

import ast
import inspect
from functools import cache


@cache
def comments_of(model: type) -> dict[str, str]:
    """Return the `#:` comments of a class, by field; of this class alone, not of its parents."""
    lines, _ = inspect.getsourcelines(model)
    width = len(lines[0]) - len(lines[0].lstrip())
    (tree,) = ast.parse("".join(line[width:] for line in lines)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = _above(lines, node.lineno - 1)
    return {name: text for name, text in found.items() if text}


def _above(lines: list[str], index: int) -> str:
    said: list[str] = []
    while index > 0 and lines[index - 1].strip().startswith("#:"):
        index -= 1
        said.insert(0, lines[index].strip().removeprefix("#:").strip())
    return " ".join(said)
