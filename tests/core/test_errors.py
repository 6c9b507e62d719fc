from __future__ import annotations

import pytest

from descartes_core import errors
from descartes_core.errors import BY_CODE, AgentsAlive, DescartesError, IllegalTransition, all_errors, from_wire


def test_every_code_is_one_error_s() -> None:
    codes = [error.code for error in all_errors()]
    assert len(codes) == len(set(codes)) == len(BY_CODE)


def test_the_docstring_names_the_whole_tree() -> None:
    assert [error.__name__ for error in all_errors() if error.__name__ not in (errors.__doc__ or "")] == []


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.code)
def test_every_error_has_numbers_for_every_door(error: type[DescartesError]) -> None:
    assert 400 <= error.status <= 599
    assert -32768 <= error.rpc <= -32000
    assert error.exit in (1, 2, 3, 4, 5)
    assert (error.__doc__ or "").endswith(".")


def test_the_docstring_is_the_default_message() -> None:
    assert AgentsAlive().message == str(AgentsAlive()) == AgentsAlive.__doc__
    assert AgentsAlive("three").message == "three"


def test_an_error_is_itself_again_beyond_the_wire() -> None:
    told = from_wire("agents_alive", "3 agents are alive")
    assert type(told) is AgentsAlive
    assert told.message == "3 agents are alive"


def test_an_error_with_fields_of_its_own_comes_over_the_wire_too() -> None:
    sent = IllegalTransition("agent a", "lost", "pause_asked")
    told = from_wire(sent.code, sent.message)
    assert type(told) is IllegalTransition
    assert told.message == "agent a is lost: pause is not possible now"


def test_an_unknown_code_is_an_error_all_the_same() -> None:
    assert type(from_wire("of_the_future", "so")) is DescartesError
