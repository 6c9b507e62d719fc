"""Who is enrolled, and who is invited, is on disk before it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid, Conflict, InvalidParams, NameTaken, NotFound, Unauthorized
from descartes_orchestrator.hub.enrolment import Enrolment


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def key(letter: str) -> str:
    return letter * 40


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "peers.json"


@pytest.fixture
def enrolment(path: Path, clock: Clock) -> Enrolment:
    made = Enrolment(path, clock)
    made.invite(key("i"), role="runner", name="big", labels=["gpu"], ttl=60.0)
    return made


def test_an_invitation_works_once(enrolment: Enrolment) -> None:
    made = enrolment.redeem(key("i"), key("a"), "whatever")
    assert (made.name, made.role, made.labels) == ("big", "runner", ("gpu",))
    with pytest.raises(Unauthorized):
        enrolment.redeem(key("i"), key("b"), "")
    assert not enrolment.lets_in(key("b"))


def test_a_lost_answer_is_given_again(enrolment: Enrolment) -> None:
    assert enrolment.redeem(key("i"), key("a"), "") == enrolment.redeem(key("i"), key("a"), "")


def test_an_invitation_expires(enrolment: Enrolment, clock: Clock) -> None:
    clock.now += 61.0
    assert not enrolment.lets_in(key("i"))
    with pytest.raises(Unauthorized):
        enrolment.redeem(key("i"), key("a"), "")


def test_who_was_revoked_does_not_come_back_by_its_old_invitation(enrolment: Enrolment) -> None:
    enrolment.redeem(key("i"), key("a"), "")
    enrolment.revoke("big")
    assert not enrolment.lets_in(key("a"))
    with pytest.raises(Unauthorized):
        enrolment.redeem(key("i"), key("a"), "")


def test_all_of_it_is_known_after_a_restart(enrolment: Enrolment, path: Path, clock: Clock) -> None:
    enrolment.redeem(key("i"), key("a"), "")
    enrolment.invite(key("j"), role="client", name="", labels=[], ttl=60.0)
    enrolment.drain("big", is_drained=True)
    again = Enrolment(path, clock)
    assert again.named("big") == enrolment.named("big")
    assert again.named("big").is_drained
    assert again.lets_in(key("j"))
    with pytest.raises(Unauthorized):
        again.redeem(key("i"), key("b"), "")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_secret_half_of_an_invitation_is_written_nowhere(enrolment: Enrolment, path: Path) -> None:
    assert "secret" not in path.read_text()


def test_what_cannot_be_written_does_not_hold(enrolment: Enrolment, path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="peers"):
        enrolment.redeem(key("i"), key("a"), "")
    assert not enrolment.lets_in(key("a"))
    assert enrolment.lets_in(key("i"))


def test_a_torn_file_is_never_replaced(path: Path, clock: Clock) -> None:
    path.write_text("{")
    with pytest.raises(ConfigInvalid, match=r"peers\.json"):
        Enrolment(path, clock)
    assert path.read_text() == "{"


def test_a_name_belongs_to_one(enrolment: Enrolment) -> None:
    enrolment.redeem(key("i"), key("a"), "")
    with pytest.raises(NameTaken):
        enrolment.invite(key("j"), role="runner", name="big", labels=[], ttl=60.0)


def test_who_has_no_name_gets_one_that_is_free(enrolment: Enrolment) -> None:
    names = []
    for letter in "xyz":
        enrolment.invite(key(letter), role="daemon", name="", labels=[], ttl=60.0)
        names.append(enrolment.redeem(key(letter), key(letter.upper()), "lap/top#1").name)
    assert names == ["lap?top-1", "lap?top-1-2", "lap?top-1-3"]
    wishes = {"u": "..", "v": "any", "w": "./x"}
    for letter in wishes:
        enrolment.invite(key(letter), role="runner", name="", labels=[], ttl=60.0)
    made = [enrolment.redeem(key(letter), key(letter.upper()), wish).name for letter, wish in wishes.items()]
    assert made == ["unnamed", "any-2", "?x"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "king"},
        {"name": "a/b"},
        {"name": "a#b"},
        {"name": ".."},
        {"name": "any"},
        {"labels": ["a,b"]},
        {"labels": [""]},
        {"ttl": 0.0},
        {"ttl": 1e9},
    ],
)
def test_what_nobody_can_be_is_refused(enrolment: Enrolment, wrong: dict[str, object]) -> None:
    right = {"role": "runner", "name": "n", "labels": [], "ttl": 1.0}
    with pytest.raises(InvalidParams):
        enrolment.invite(key("j"), **{**right, **wrong})  # type: ignore[arg-type]


def test_a_known_key_is_not_enrolled_again(enrolment: Enrolment) -> None:
    enrolment.redeem(key("i"), key("a"), "")
    enrolment.invite(key("j"), role="client", name="", labels=[], ttl=60.0)
    with pytest.raises(InvalidParams, match="hub revoke big"):
        enrolment.redeem(key("j"), key("a"), "")


def test_our_own_is_admitted_once(enrolment: Enrolment) -> None:
    made = enrolment.admit(key("d"), role="daemon", name="laptop")
    assert enrolment.admit(key("d"), role="daemon", name="other") == made


def test_only_runners_are_drained(enrolment: Enrolment) -> None:
    enrolment.admit(key("d"), role="daemon", name="laptop")
    for name in ("laptop", "nobody"):
        with pytest.raises(NotFound):
            enrolment.drain(name, is_drained=True)


def test_a_token_for_something_else_is_not_spent(enrolment: Enrolment) -> None:
    with pytest.raises(Conflict, match="for a runner, and not spent"):
        enrolment.redeem(key("i"), key("a"), "", "daemon")
    assert enrolment.redeem(key("i"), key("b"), "", "runner").name == "big"
