from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from descartes_local.config_sections import (
    Agents,
    Discovery,
    Log,
    Output,
    Redaction,
    Retention,
    Server,
    Supervisor,
    Terminals,
)
from descartes_local.field_comments import comments_of

ALL: list[type[BaseModel]] = [
    Server,
    Discovery,
    Agents,
    Output,
    Redaction,
    Retention,
    Terminals,
    Redaction,
    Supervisor,
    Log,
]


@pytest.mark.parametrize("section", ALL)
def test_each_key_says_what_it_is(section: type[BaseModel]) -> None:
    assert comments_of(section).keys() == section.model_fields.keys()
    assert section.__doc__


@pytest.mark.parametrize("section", ALL)
def test_no_number_is_true_or_endless(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            for wrong in (True, float("inf"), float("nan"), -1, 10**18):
                with pytest.raises(ValidationError):
                    section.model_validate({name: wrong})


def test_the_two_ports_differ() -> None:
    with pytest.raises(ValidationError, match="both 8081"):
        Server(http_port=8081)


def test_a_pattern_that_cannot_be_read_is_told() -> None:
    assert Redaction(patterns=[r"id (\d+)"]).enabled
    with pytest.raises(ValidationError, match="no regular expression"):
        Redaction(patterns=["("])
