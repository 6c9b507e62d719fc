"""The description says what the table of methods says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from descartes_core.errors import all_errors
from descartes_core.methods import METHODS
from descartes_core.openapi import UNIX_ONLY, document

DOCUMENT = document("http://127.0.0.1:8080")


def references(value: Any) -> Iterator[str]:
    """Yield every reference within a value."""
    if isinstance(value, dict):
        yield from (str(value[key]) for key in value if key == "$ref")
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_method_has_a_path_but_those_of_the_unix_socket() -> None:
    described = {path.removeprefix("/rpc/") for path in DOCUMENT["paths"] if path.startswith("/rpc/")}
    assert described == set(METHODS) - UNIX_ONLY
    assert {"/rpc", "/health", "/stats", "/metrics", "/shutdown", "/openapi.json"} <= set(DOCUMENT["paths"])


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    assert found <= {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


def test_every_error_of_a_method_is_under_its_status() -> None:
    for method in METHODS.values():
        if method.name in UNIX_ONLY:
            continue
        responses = DOCUMENT["paths"][f"/rpc/{method.name}"]["post"]["responses"]
        for error in method.errors:
            assert error.code in responses[str(error.status)]["description"]


def test_only_health_answers_without_the_token() -> None:
    assert DOCUMENT["security"] == [{"token": []}]
    free = [path for path, item in DOCUMENT["paths"].items() for one in item.values() if one.get("security") == []]
    assert free == ["/health"]


def test_it_is_json_and_names_no_status_that_no_error_has() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT
    known = {str(error.status) for error in all_errors()} | {"200", "204"}
    for item in DOCUMENT["paths"].values():
        for one in item.values():
            assert set(one["responses"]) <= known


def test_operations_have_names_of_their_own() -> None:
    names = [one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values()]
    assert len(names) == len(set(names))
