"""What an agent has changed of a terminal, and what takes it back."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    rb"\x1b(?:\[(?P<private>[<=>?]?)(?P<numbers>[0-9;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|\](?:(?P<colour>1[0-2]);|8;[^;\x07\x1b]*;(?P<link>[^\x07\x1b]?))|(?P<keypad>[=>])"
    rb"|(?P<set>[()*+])(?P<charset>[0-~])|(?P<reset>c))"
)
#: The beginning of a sequence at the end of what came so far.
_OPEN = re.compile(rb"\x1b(?:\[[<=>?]?[0-9;:]{0,64}[ -/]{0,4}|\](?:1?[0-2]?|8(?:;[^;\x07\x1b]{0,256};?)?)|[()*+])?\Z")
#: On in a terminal that nobody has touched: autowrap, and the cursor is seen.
_USUALLY_ON = {b"7", b"25"}
#: Inserting, and what a newline does.
_ANSI_MODES = {b"4", b"20"}
#: Synchronized output, switched all the time; a terminal ends it by itself.
_FLEETING = {b"2026"}
_ALTERNATE_SCREENS = (b"47", b"1047", b"1049")


class TerminalModes:
    """Reads what goes to the terminal; one per attachment."""

    def __init__(self) -> None:
        self._held = b""
        self._changed: dict[bytes, None] = {}  # private modes that are not as usual, in order
        self._keyboards = 0  # how deep the stack of keyboard protocols is
        self._undo: dict[bytes, None] = {}
        self._is_shifted = False  # to the other set of characters

    def feed(self, output: bytes) -> None:
        """Take what is about to be written."""
        text = self._held + output
        for found in _SEQUENCE.finditer(text):
            if found["final"] is not None:
                self._control(found["private"], found["numbers"], found["between"], found["final"])
            elif found["colour"]:
                self._undo[b"\x1b]1%s\x07" % found["colour"]] = None
            elif found["keypad"]:
                self._keep(b"\x1b>", found["keypad"] == b"=")
            elif found["charset"]:
                self._keep(b"\x1b%sB" % found["set"], found["charset"] != b"B")
            elif found["link"] is not None:
                self._keep(b"\x1b]8;;\x1b\\", bool(found["link"]))
            else:
                self._changed.clear()
                self._undo.clear()
                self._keyboards = 0
        on, off = text.rfind(b"\x0e"), max(text.rfind(b"\x0f"), text.rfind(b"\x1bc"))
        if on != off:
            self._is_shifted = on > off
        last = text.rfind(b"\x1b")
        tail = _OPEN.match(text, last) if last >= 0 else None
        self._held = tail[0] if tail else b""

    @property
    def is_within(self) -> bool:
        """Whether what was written so far ends in the middle of a sequence, as far as this knows sequences."""
        return bool(self._held)

    def take_back(self) -> bytes:
        """Return what puts the terminal back to what is usual."""
        alternate = [mode for mode in self._changed if mode in _ALTERNATE_SCREENS]
        others = [mode for mode in self._changed if mode not in _ALTERNATE_SCREENS]
        back = b"\x1b[<%du" % self._keyboards if self._keyboards else b""
        back += b"".join(self._undo) + b"\x0f" * self._is_shifted
        back += b"".join(b"\x1b[?%s%s" % (mode, b"h" if mode in _USUALLY_ON else b"l") for mode in others + alternate)
        return back + b"\x1b[0m"

    def _control(self, private: bytes, numbers: bytes, between: bytes, final: bytes) -> None:
        if private == b"?" and final in b"hl" and not between:
            for mode in numbers.split(b";"):
                self._set(mode, final == b"h")
        elif final == b"u" and private == b">":
            self._keyboards += 1
        elif final == b"u" and private == b"<":
            self._keyboards = max(0, self._keyboards - int(numbers) if numbers.isdigit() else 1)
        elif final == b"u" and private == b"=":
            self._undo[b"\x1b[=0u"] = None
        elif final == b"m" and private == b">":
            self._undo[b"\x1b[>4m"] = None
        elif final == b"q" and between == b" ":
            self._undo[b"\x1b[0 q"] = None
        elif final == b"r" and not private and not between:
            self._keep(b"\x1b[r", bool(numbers))
        elif final in b"hl" and not private and not between:
            for mode in sorted(_ANSI_MODES.intersection(numbers.split(b";"))):
                self._keep(b"\x1b[%sl" % mode, final == b"h")

    def _set(self, mode: bytes, is_on: bool) -> None:
        if not mode or mode in _FLEETING:
            return
        self._changed.pop(mode, None)
        if is_on != (mode in _USUALLY_ON):
            self._changed[mode] = None

    def _keep(self, undo: bytes, is_needed: bool) -> None:
        self._undo.pop(undo, None)
        if is_needed:
            self._undo[undo] = None
