from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from descartes_local.patient_lock import lock_within
from tests.support.waiting import wait_until


def test_what_is_free_is_locked_at_once(tmp_path: Path) -> None:
    held = lock_within(tmp_path, 0.0)
    assert held is not None
    other = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_who_waits_in_vain_holds_nothing_afterwards(tmp_path: Path) -> None:
    held = lock_within(tmp_path, 0.0)
    assert held is not None
    assert lock_within(tmp_path, 0.02) is None
    os.close(held)
    wait_until(lambda: not _waiters(), "the waiter gives up what came too late")
    again = lock_within(tmp_path, 0.0)
    assert again is not None
    os.close(again)


def test_what_is_let_go_in_time_is_had(tmp_path: Path) -> None:
    held = lock_within(tmp_path, 0.0)
    assert held is not None
    had: list[int | None] = []
    waiting = threading.Thread(target=lambda: had.append(lock_within(tmp_path, 20.0)))
    waiting.start()
    wait_until(_waiters, "somebody waits")
    os.close(held)
    waiting.join(20)
    assert had[0] is not None
    os.close(had[0])


def _waiters() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lock ")]
