"""Say which sessions a configured group has."""

from __future__ import annotations

from descartes_cli.render import say_wrong
from descartes_cli.session_named import find_session
from descartes_core.errors import DescartesError, InvalidParams
from descartes_local.home import Home


def sessions_of_group(home: Home, name: str) -> set[str]:
    """Return the ids of a group's sessions; who is not there, or not Active, is told, and the others are searched.

    Raises:
        InvalidParams: there is no such group.
        ConfigInvalid: the configuration is wrong.

    """
    from descartes_local.config import load  # with its models, for those who have groups

    groups = load(home).search.groups
    if name not in groups:
        known = ", ".join(sorted(groups)) or "none"
        raise InvalidParams(f"no group {name!r} is configured in search.groups; there are: {known}")
    found = set()
    for one in groups[name]:
        try:
            session = find_session(home, one)
        except DescartesError as error:
            say_wrong(f"{one}: {error.message}")
            continue
        found.add(session.id)
        if session.run is None:
            say_wrong(f"{session.name} is not Active, and is not searched: descartes sessions start {one}")
    return found
