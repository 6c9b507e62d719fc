from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.errors import Conflict, IllegalTransition, Locked, NoWorkspace, Refused, Unavailable
from descartes_core.session_life import TABLE, Cause, State
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_local.session_file import load, path_in, save
from descartes_orchestrator import sessions
from descartes_orchestrator.claim import claimed, moved
from descartes_orchestrator.sessions import Session
from descartes_orchestrator.supervisor.recording import write_state


def status_of(session: Session) -> State:
    record = load(session.path)
    assert record is not None
    return record.status


def test_what_is_laid_aside_is_written_and_chosen_no_more(home: Home, shop: Session) -> None:
    sessions.use(home, shop)
    archived, ended = sessions.archive(home, shop)
    assert (archived.status, status_of(shop), ended) == (State.ARCHIVED, State.ARCHIVED, [])
    assert registry.read(home).active_session_id is None
    with pytest.raises(Refused, match="nothing to do"):
        sessions.archive(home, archived)
    for refused in (sessions.start, sessions.use):
        with pytest.raises(Refused, match="`descartes sessions unarchive"):
            refused(home, archived)
    assert sessions.unarchive(home, archived).status is State.INACTIVE
    assert registry.read(home).known == {shop.id: str(shop.path)}


def test_another_that_is_chosen_stays_so(home: Home, shop: Session, tmp_path: Path) -> None:
    other = sessions.create(home, tmp_path / "other")
    sessions.use(home, other)
    sessions.archive(home, shop)
    assert registry.read(home).active_session_id == other.id


def test_what_was_given_up_can_be_laid_aside(home: Home, shop: Session) -> None:
    save(shop.path, replace(shop.record, status=State.ERROR))
    assert sessions.archive(home, sessions.at(home, shop.path))[0].status is State.ARCHIVED


def test_what_is_laid_aside_stays_so_whatever_became_of_a_daemon(home: Home, shop: Session) -> None:
    sessions.archive(home, shop)
    write_state(shop.path, shop.id, State.ERROR, holds_lock=False)
    assert status_of(shop) is State.ARCHIVED


@pytest.mark.parametrize("state", sorted(State))
@pytest.mark.parametrize("cause", [Cause.START_ASKED, Cause.ARCHIVE_ASKED, Cause.UNARCHIVE_ASKED])
def test_the_table_alone_decides(shop: Session, state: State, cause: Cause) -> None:
    if (state, cause) in TABLE:
        assert moved(shop, state, cause) is TABLE[state, cause].to
    else:
        with pytest.raises((Refused, IllegalTransition), match=f"shop is {state}"):
            moved(shop, state, cause)


def test_within_a_claim_nobody_else_has_it(home: Home, shop: Session) -> None:
    home.session(shop.id).mkdir()
    with claimed(home, shop) as claim:
        for directory in (shop.path / ".scud", home.session(shop.id)):
            with pytest.raises(Locked):
                lock_directory(directory)
        claim.save(replace(claim.record, name="store"))
    for directory in (shop.path / ".scud", home.session(shop.id)):
        os.close(lock_directory(directory) or -1)
    record = load(shop.path)
    assert record is not None
    assert record.name == "store"


def test_a_claim_sees_what_is_there_now(home: Home, shop: Session) -> None:
    save(shop.path, replace(shop.record, name="by another", status=State.ACTIVE))
    with claimed(home, shop) as claim:
        assert (claim.record.name, claim.record.status) == ("by another", State.INACTIVE)
    path_in(shop.path).write_text("{")
    with claimed(home, shop) as claim:
        assert claim.record == shop.record
    assert len(list((shop.path / ".scud").glob("*.torn-*"))) == 1
    save(shop.path, replace(shop.record, id=sessions.create(home, shop.path / "other").id))
    with pytest.raises(Conflict, match="by now"), claimed(home, shop):
        pass


def test_a_claim_on_what_is_gone_or_in_the_way_says_so(home: Home, shop: Session) -> None:
    aside = shop.path.rename(shop.path.with_name("aside"))
    with pytest.raises(NoWorkspace), claimed(home, shop):
        pass
    shop.path.mkdir()
    (shop.path / ".scud").write_text("a file")
    with pytest.raises(Unavailable, match="File exists"), claimed(home, shop):
        pass
    assert load(aside) is not None


def test_what_to_type_can_be_typed_whatever_a_place_is_called(home: Home, tmp_path: Path) -> None:
    made = sessions.create(home, tmp_path / "x; touch here")
    sessions.archive(home, made)
    with pytest.raises(Refused, match=r"`descartes sessions unarchive '[^']*/x; touch here'`"):
        sessions.start(home, sessions.at(home, made.path))
