"""Who else is at an agent's terminal, and how a person is told of it."""

from __future__ import annotations

from typing import Any

from descartes_cli.render import cut, printable

#: A name longer than this leaves no room for what there is to do.
_LONGEST_NAME = 40


class Company:
    """Knows who types, as the daemon tells it."""

    def __init__(self, name: str, *, let_go: str, take: str, read_only: bool) -> None:
        self._name, self._let_go, self._take, self._read_only = printable(name), let_go, take, read_only
        self._holder: str | None = None
        self._is_ours = False
        #: Whether anybody else has ever typed here: else there is nothing to tell.
        self._is_shared = False
        #: Whether the pen was asked for and not given yet.
        self._is_taking = False

    @property
    def may_type(self) -> bool:
        """Whether keys are for the agent: ours is the pen, or nobody's."""
        return not self._read_only and (self._is_ours or self._is_taking or self._holder is None)

    @property
    def may_take(self) -> bool:
        """Whether the take key is for us, not for the agent."""
        return not self._read_only and not self.may_type

    def taking(self) -> None:
        """Take note that the pen was asked for: what is typed from here on comes behind that."""
        self._is_taking = True

    def opening(self) -> str:
        """Return what is said first."""
        if self._read_only:
            return f"{self._name}: you only watch{self._also()}; {self._let_go} lets go"
        if self.may_type:
            return f"{self._name}: {self._let_go} lets go, the agent goes on"
        return f"{self._name}: {self._they} types; {self._take} takes the pen, {self._let_go} lets go"

    def reminder(self) -> str:
        """Return what is said to who types and may not."""
        if self._read_only:
            return f"you only watch; {self._let_go} lets go"
        return f"{self._they} types; {self._take} takes the pen"

    def heard(self, frame: dict[str, Any]) -> str | None:
        """Take a frame that tells who types; return what a person should know, None when it is no news."""
        holder, is_ours = frame["holder"], bool(frame.get("yours"))
        if self._is_taking and not is_ours:
            return None  # of before
        was = self._holder, self._is_ours
        self._holder, self._is_ours, self._is_taking = holder, is_ours, False
        if was == (holder, is_ours) or not (self._is_shared or (holder is not None and not is_ours)):
            return None
        self._is_shared = True
        return f"{self._name}: {self._who()}"

    def refused(self) -> None:
        """Take note that somebody else was quicker."""
        self._is_taking = False

    def _who(self) -> str:
        if self._is_ours:
            return "you type"
        if self._holder is None:
            return "nobody types" + ("" if self._read_only else ": type, and you do")
        return f"{self._they} types" + ("" if self._read_only else f"; {self._take} takes the pen")

    def _also(self) -> str:
        return f", {self._they} types" if self._holder is not None and not self._is_ours else ""

    @property
    def _they(self) -> str:
        return cut(printable(self._holder or "nobody"), _LONGEST_NAME)
