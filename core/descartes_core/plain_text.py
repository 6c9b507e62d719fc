"""What a terminal's output says, without its control sequences.

Text is kept as a terminal would show it on one line: carriage return, backspace, erasing and moving within the line are
done, moves to other lines end the line, everything else that is no text is left out. Output comes in pieces cut
anywhere, also inside a character or a sequence; however it is cut, the text is the same.
"""

from __future__ import annotations

import codecs
import re

#: A line longer than this is handed over as it is; it bounds the memory of output without line ends.
LONGEST_LINE = 65_536
#: A real sequence is far shorter; a longer one is left out without being understood.
_LONGEST_SEQUENCE = 1000

_TEXT = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f-\x9f]+")
_CSI = re.compile(r"(?:\x1b\[|\x9b)([0-?]*)([ -?]*)([@-~]?)")
_ESCAPE = re.compile(r"\x1b[ -/]*([0-~]?)")
#: BEL, CAN, SUB and ST end a string; ESC does, too, and begins the next sequence.
_STRING_END = re.compile(r"[\x07\x18\x1a\x1b\x9c]")
_CSI_END = re.compile(r"[^ -?]")
_ESCAPE_END = re.compile(r"[^ -/]")
#: OSC, DCS, SOS, PM, APC: their content is not shown.
_STRING_BEGINNINGS = "]PX^_"
_C1_STRING_BEGINNINGS = "\x90\x98\x9d\x9e\x9f"
_TO_ANOTHER_LINE = "ABEFHfd"


class PlainText:
    """Turns pieces of output into text; one per output."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""  # the beginning of a sequence that the next piece goes on with
        self._skip_to: re.Pattern[str] | None = None  # inside a string: where it ends
        self._line = ""
        self._column = 0
        self._is_handed_over = False  # the beginning of this line has been given out,
        self._begins_again = False  # and the cursor went back to it
        self._said: list[str] = []

    def feed(self, data: bytes) -> str:
        """Take a piece of output and return the lines it completes."""
        self._take(self._decoder.decode(data))
        return self._take_said()

    def rest(self) -> str:
        """Return the unfinished line, too; what comes later goes on behind it."""
        self._hand_over()
        return self._take_said()

    def _take_said(self) -> str:
        text = "".join(self._said)
        self._said.clear()
        return text

    def _take(self, text: str) -> None:
        text, self._held = self._held + text, ""
        at = 0
        while at < len(text):
            if self._skip_to is not None:
                at = self._skip(text, at)
            elif plain := _TEXT.match(text, at):
                self._write(plain[0])
                at = plain.end()
            elif text[at] in "\x1b\x9b":
                end = self._sequence(text, at)
                if end is None:
                    return
                at = end
            else:
                self._control(text[at])
                at += 1

    def _skip(self, text: str, at: int) -> int:
        assert self._skip_to is not None
        found = self._skip_to.search(text, at)
        if found is None:
            return len(text)
        self._skip_to = None
        return found.end() if "0" <= found[0] <= "~" or found[0] == "\x9c" else found.start()

    def _sequence(self, text: str, at: int) -> int | None:
        """Do one sequence and return where it ends; None when it is not all there yet."""
        csi = _CSI.match(text, at)
        found = csi or _ESCAPE.match(text, at)
        assert found is not None
        if found.end() == len(text) and not found[found.re.groups]:
            if found.end() - at <= _LONGEST_SEQUENCE:
                self._held = text[at:]
            else:
                self._skip_to = _CSI_END if csi else _ESCAPE_END
                return len(text)
            return None
        if csi is not None:
            if csi[3] and not csi[2] and csi.end() - at <= _LONGEST_SEQUENCE:
                self._move(csi[3], csi[1])
        elif found.end() == at + 2 and found[1]:
            self._escape(found[1])
        return found.end()

    def _escape(self, final: str) -> None:
        if final in _STRING_BEGINNINGS:
            self._skip_to = _STRING_END
        elif final in "DEM":
            self._other_line()

    def _control(self, character: str) -> None:
        if character in "\n\x0b\x0c\x85":
            self._end_line()
        elif character == "\r":
            self._column = 0
            self._begins_again = self._is_handed_over
        elif character == "\b":
            self._column = max(0, self._column - 1)
        elif character in _C1_STRING_BEGINNINGS:
            self._skip_to = _STRING_END

    def _move(self, final: str, parameters: str) -> None:
        if final in _TO_ANOTHER_LINE or (final == "J" and parameters in ("2", "3")):
            self._other_line()
        elif final in "KJ":
            self._erase(parameters)
        elif final in "CDG":
            steps = max(min(int(parameters), LONGEST_LINE), 1) if parameters.isdecimal() else 1
            target = {"C": self._column + steps, "D": self._column - steps, "G": steps - 1}[final]
            self._column = min(max(target, 0), LONGEST_LINE - 1)

    def _erase(self, parameters: str) -> None:
        if parameters in ("", "0"):
            self._line = self._line[: self._column]
        elif parameters == "1":
            kept = self._line[self._column + 1 :]
            self._line = " " * (self._column + 1) + kept if kept else ""
        elif parameters == "2":
            self._line = ""

    def _write(self, text: str) -> None:
        if self._begins_again:
            # What was handed over cannot be written over: a line of its own is the nearest thing.
            self._other_line()
        while text:
            room = LONGEST_LINE - self._column
            piece, text = text[:room], text[room:]
            before = self._line[: self._column].ljust(self._column)
            self._column += len(piece)
            self._line = before + piece + self._line[self._column :]
            if self._column >= LONGEST_LINE:
                self._hand_over()

    def _other_line(self) -> None:
        if self._line or self._is_handed_over:
            self._end_line()

    def _end_line(self) -> None:
        self._said += (self._line, "\n")
        self._line, self._column, self._is_handed_over, self._begins_again = "", 0, False, False

    def _hand_over(self) -> None:
        if self._line:
            self._said.append(self._line)
            self._is_handed_over = True
            self._line, self._column = "", 0
