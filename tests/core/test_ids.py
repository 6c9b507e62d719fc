from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import AgentNotFound, Ambiguous, InvalidParams, SessionNotFound
from descartes_core.ids import (
    LONGEST_NAME,
    Named,
    check_name,
    fitting_name,
    is_id,
    new_id,
    resolve,
    short,
    stable_id,
)

FIRST = Named("aaaa1111-0000-4000-8000-000000000000", "fixer")
SECOND = Named("aaaa2222-0000-4000-8000-000000000000", "tester")
THIRD = Named("bbbb3333-0000-4000-8000-000000000000", "fixer", alive=False)


def test_new_ids_differ() -> None:
    assert new_id() != new_id()
    assert is_id(new_id())


def test_a_stable_id_depends_on_the_path_alone() -> None:
    # Written into people's directories: it may never change.
    assert stable_id("/home/ann/shop") == "c9d40d30-5c21-59be-8617-b5113169bd6d"
    assert stable_id("/home/ann/shop") != stable_id("/home/ann/shop2")


def test_a_path_that_is_no_utf_8_has_an_id_too() -> None:
    assert is_id(stable_id(b"/home/\xff".decode(errors="surrogateescape")))


@pytest.mark.parametrize("text", ["", "x", "AAAA1111", "{aaaa1111-0000-4000-8000-000000000000}", "a" * 32])
def test_what_is_no_uuid_in_its_usual_form_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_the_short_form_has_eight_characters() -> None:
    assert short(FIRST.id) == "aaaa1111"


@pytest.mark.parametrize("name", ["fixer", "the fixer", "Ærø", "🦊", "a" * LONGEST_NAME])
def test_what_people_can_read_is_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("a" * 10_240, "100 characters"),
        ("../x", "slash"),
        ("a\nb", "control"),
        ("a\0b", "control"),
        ("a\x1b[2J", "control"),
        ("a\u2028b", "control"),
        ("\udcff", "control"),
    ],
)
def test_what_terminals_and_tables_cannot_bear_is_refused(name: str, reason: str) -> None:
    with pytest.raises(InvalidParams, match=reason):
        check_name(name)


@given(st.text())
def test_every_text_fits_as_a_name_in_the_end(text: str) -> None:
    assert check_name(fitting_name(text))


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=LONGEST_NAME))
def test_a_fitting_name_stays_as_it_is(text: str) -> None:
    assert fitting_name(text) == text


def test_an_id_is_found_whole_by_prefix_and_by_name() -> None:
    for text in (FIRST.id, "aaaa1", "AAAA1"):
        assert resolve(text, [FIRST, SECOND], AgentNotFound) == FIRST.id
    assert resolve("tester", [FIRST, SECOND], AgentNotFound) == SECOND.id


def test_the_living_one_of_two_that_share_a_name_is_meant() -> None:
    assert resolve("fixer", [THIRD, FIRST], AgentNotFound) == FIRST.id


def test_a_name_comes_before_a_prefix() -> None:
    named = Named(new_id(), "aaaa1")
    assert resolve("aaaa1", [FIRST, named], AgentNotFound) == named.id


def test_what_fits_twice_lists_the_candidates() -> None:
    with pytest.raises(Ambiguous, match=r"fits 2: aaaa1111.*fixer.*aaaa2222.*tester"):
        resolve("aaaa", [FIRST, SECOND], AgentNotFound)
    with pytest.raises(Ambiguous, match=r"fits 2: .*; say of which session \(-s SESSION\)"):
        resolve("fixer", [FIRST, FIRST], AgentNotFound)


def test_a_short_prefix_is_a_word() -> None:
    with pytest.raises(SessionNotFound, match="no session is called 'aaa'"):
        resolve("aaa", [FIRST], SessionNotFound)


def test_what_is_missing_is_told_by_its_kind() -> None:
    with pytest.raises(AgentNotFound, match="no agent is called 'x'"):
        resolve("x", [], AgentNotFound)
