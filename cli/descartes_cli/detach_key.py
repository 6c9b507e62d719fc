"""The key that lets go of an agent, in every way a terminal may send it."""

from __future__ import annotations

import re

from descartes_core.errors import InvalidParams

#: Bits of a modifier field, less one: control, and the locks, which do not count.
_CONTROL, _LOCKS = 4, 64 | 128


class DetachKey:
    """Ctrl and one character, e.g. ctrl-]."""

    def __init__(self, text: str) -> None:
        """Read what a person wrote.

        Raises:
            InvalidParams: no terminal sends that as one key.

        """
        name, _, character = text.lower().partition("-")
        if name != "ctrl" or len(character) != 1 or not ("a" <= character <= "z" or character in "@[\\]^_"):
            raise InvalidParams(f"a detach key is ctrl- and a letter or one of @[\\]^_, not {text!r}")
        self.name = f"Ctrl-{character.upper()}"
        code = ord(character)
        # A program may have switched the terminal to kitty's keyboard protocol, or to xterm's modifyOtherKeys.
        self._pattern = re.compile(
            rb"(?P<plain>%s)|\x1b\[%d(?::\d*)*;(?P<kitty>\d+)(?::1)?(?:;[\d:]*)?u|\x1b\[27;(?P<xterm>\d+);%d~"
            % (re.escape(bytes([ord(character.upper()) & 0x1F])), code, code)
        )

    def split(self, typed: bytes) -> tuple[bytes, bytes] | None:
        """Return what was typed before the key, and behind it; None when it is not there."""
        for found in self._pattern.finditer(typed):
            modifiers = found["kitty"] or found["xterm"]
            if modifiers is None or (int(modifiers) - 1) & ~_LOCKS == _CONTROL:
                return typed[: found.start()], typed[found.end() :]
        return None
