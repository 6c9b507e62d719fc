from __future__ import annotations

import string
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.expressions import compiled
from descartes_core.redaction import HIDDEN
from descartes_core.redactor import LONGEST_LINE, Redactor, Rules, known_values, merged, put

SECRET = "zQ9-vW8_xY7kL3mN5pQ2"
KNOWN = Rules([SECRET])
pieces_of_text = st.lists(
    st.sampled_from(
        ["the cat ", "\n", "\r\n", "token=", SECRET, f"sk-{SECRET}", '"', "Authorization: Bearer ", " ", "é", "İ", "x"]
    ),
    max_size=30,
).map("".join)


def fed(rules: Rules, text: str, *cuts: int) -> str:
    redactor = Redactor(rules)
    told, done = "", 0
    for cut in (*sorted(cuts), len(text)):
        told += redactor.feed(text[done:cut])
        done = cut
    return told + redactor.rest()


@given(pieces_of_text, st.lists(st.integers(0, 400), max_size=10))
def test_however_it_is_cut_the_text_is_the_same(text: str, cuts: list[int]) -> None:
    told = fed(KNOWN, text, *(min(cut, len(text)) for cut in cuts))
    assert told == fed(KNOWN, text) == KNOWN.hide(text)
    assert SECRET not in told


@given(st.text(string.ascii_letters + " \n\r\t", max_size=200))
def test_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert fed(Rules(), text, len(text) // 2) == text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("export OPENAI_API_KEY=abc def", f"export OPENAI_API_KEY={HIDDEN} def"),
        (f"use sk-{SECRET} or sk-{SECRET}", f"use {HIDDEN} or {HIDDEN}"),
        ("curl -H 'Authorization: Bearer abcdefgh.ij'", f"curl -H 'Authorization: Bearer {HIDDEN}'"),
        ("git clone https://me:pass@h.org/x", f"git clone https://me:{HIDDEN}@h.org/x"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghij", HIDDEN),
        ("the tests pass, the author has keys", "the tests pass, the author has keys"),
        ('{"a_token": "x y", "b": 1}', f'{{"a_token": {HIDDEN}, "b": 1}}'),
    ],
)
def test_what_redaction_knows_is_hidden_and_nothing_else(line: str, shown: str) -> None:
    assert fed(Rules(), f"before\n{line}\r\nafter\n", 9, 12) == f"before\n{shown}\r\nafter\n"


@pytest.mark.parametrize("place", [0, 1, 100, LONGEST_LINE - 8192 - 10, LONGEST_LINE - 8192, LONGEST_LINE - 5, 200_000])
@pytest.mark.parametrize("size", [1000, 65_536])
def test_no_secret_slips_through_where_a_long_line_is_cut(place: int, size: int) -> None:
    text = f"{'x' * (place - 1)} {SECRET} {'y ' * 50_000}\nnext\n"
    told = fed(KNOWN, text, *range(size, len(text), size))
    assert SECRET not in told
    assert SECRET[:10] not in told
    assert SECRET[10:] not in told
    assert told.endswith("y \nnext\n")
    assert len(told) > 100_000


def test_a_secret_longer_than_a_line_may_be_is_hidden_to_its_end() -> None:
    secret = "k" * 200_000
    told = fed(Rules(), f"A_TOKEN={secret} behind\nnext\n", *range(7, 200_000, 977))
    assert "k" not in told.removeprefix("A_TOKEN=")
    assert told.endswith(" behind\nnext\n")


def test_the_lines_of_a_private_key_are_hidden_and_no_others() -> None:
    body = "".join(f"{'MIIEowIBAAKCAQEA' * 4}\n" for _ in range(3))
    text = f"a\n-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----\nand then\n"
    shown = (
        f"a\n-----BEGIN RSA PRIVATE KEY-----\n{HIDDEN}\n{HIDDEN}\n{HIDDEN}\n-----END RSA PRIVATE KEY-----\nand then\n"
    )
    for cut in (3, 30, 60, 120):
        assert fed(Rules(), text, cut) == shown
    torn = "-----BEGIN PRIVATE KEY-----\nabcd1234\nThis is a sentence.\nword\n"
    assert fed(Rules(), torn) == f"-----BEGIN PRIVATE KEY-----\n{HIDDEN}\nThis is a sentence.\nword\n"


def test_what_the_users_own_patterns_find_is_hidden_of_groups_only_what_they_hold() -> None:
    rules = Rules(expressions=[compiled(r"customer (\d+)"), compiled(r"X{3,}")])
    assert (
        fed(rules, "customer 1234 has XXXX, ü customer 5\n") == f"customer {HIDDEN} has {HIDDEN}, ü customer {HIDDEN}\n"
    )


def test_values_are_known_by_the_names_of_their_variables() -> None:
    environment = {"A_TOKEN": "long enough", "B_KEY": "short", "PIN": "1234", "HOME": "/home/me", "P": "x"}
    assert known_values(environment) == ("long enough",)
    assert known_values(environment, ["PIN", "P", "GONE"]) == ("long enough", "1234")


def test_each_line_of_a_known_value_is_hidden() -> None:
    assert Rules(["first line\n  second line\nx"]).hide("a first line\n\tsecond line x\n") == "a ***\n\t*** x\n"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_spans_that_touch_become_one(spans: list[tuple[int, int]]) -> None:
    found = merged(spans)
    assert {at for begin, end in spans for at in range(begin, end)} == {at for b, e in found for at in range(b, e)}
    assert all(before[1] < behind[0] for before, behind in pairwise(found))
    assert put("", []) == ""


@pytest.mark.parametrize("piece", ["a", "token=", "sk-", '"', "token='", "key ", "x\n", "://a:"])
def test_no_text_takes_long(piece: str) -> None:
    """Four times the text takes some four times as long, not sixteen."""
    took = []
    for size in (100_000, 400_000):
        text = piece * (size // len(piece))
        began = time.perf_counter()
        fed(KNOWN, text, *range(0, size, 1000))
        took.append(time.perf_counter() - began)
    assert took[1] < max(9 * took[0], 1.0), took


@pytest.mark.parametrize(
    "name", ["A_KEY", "apiKey", "GH_TOKEN", "clientSecret", "PASSWD", "pgpassword", "passphrase", "Credentials"]
)
@pytest.mark.parametrize(
    "form", ["{} = {}", '"{}": "{}"', "'{}' : '{}'", "--{} {}", "-{}\t{}", "x --my-{}={}", "?{}={}"]
)
def test_a_line_that_is_passed_over_quickly_holds_nothing(name: str, form: str) -> None:
    """Whole texts are looked through for lines worth a closer look; none that has a secret may be passed over."""
    line = form.format(name, SECRET)
    spans = Rules().spans(line)
    assert Rules().hide(f"before\n{line}\nafter\n") == f"before\n{put(line, spans)}\nafter\n"
    assert bool(spans) == bool(list(Rules().lines(line)))
