"""What goes on after a login is known before anything is started in it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from descartes_local import login
from descartes_local.cgroup2 import Cgroup

USER = "/sys/fs/cgroup/user.slice/user-1000.slice"
LOGIN, MANAGER = Cgroup(Path(f"{USER}/session-3.scope")), Cgroup(Path(f"{USER}/user@1000.service/app.slice/vte.scope"))
#: What logind answers about KillUserProcesses, and what is asked of it.
ANSWERS = """#!/bin/sh
case "$*" in
*get-property*org.freedesktop.login1.Manager*KillUserProcesses) echo '{answer}' ;;
*) exit 1 ;;
esac
"""


def busctl(directory: Path, answer: str) -> Path:
    path = directory / "busctl"
    path.write_text(ANSWERS.format(answer=answer))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("group", "lingers", "answer", "lasts"),
    [
        (LOGIN, False, "b false", True),
        (LOGIN, False, "b true", False),
        (LOGIN, False, "", False),
        (LOGIN, True, "b false", False),
        (MANAGER, False, "b false", False),
        (Cgroup(Path("/sys/fs/cgroup/system.slice/cron.service")), False, "b false", False),
        (None, False, "b false", False),
    ],
)
def test_a_login_lasts_where_it_is_given_up_and_the_manager_is_not(
    tmp_path: Path, group: Cgroup | None, lingers: bool, answer: str, lasts: bool
) -> None:
    """Agents died with the last login: their scope belonged to the user's manager, which ends then."""
    assert login.lasts(group, lingers=lingers, busctl=busctl(tmp_path, answer)) == lasts


def test_without_logind_no_login_is_known_to_last(tmp_path: Path) -> None:
    assert not login.lasts(LOGIN, lingers=False, busctl=tmp_path / "nothing")


def test_what_the_manager_has_started_ends_with_it_but_where_it_lingers() -> None:
    assert login.ends_with_logins(MANAGER, lingers=False)
    assert not login.ends_with_logins(MANAGER, lingers=True)
    assert not login.ends_with_logins(LOGIN, lingers=False)
    assert not login.ends_with_logins(None, lingers=False)


def test_who_lingers_is_told_by_a_file_of_their_name(tmp_path: Path) -> None:
    assert not login.is_lingering(tmp_path)
    (tmp_path / pwd.getpwuid(os.getuid()).pw_name).touch()
    assert login.is_lingering(tmp_path)
