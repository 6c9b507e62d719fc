"""How a character looks: what SGR says, and how a page of HTML says it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

#: 0-15: the terminal's own colours; a text: one of HTML's.
Colour = int | str | None

_ON = {1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 8: "hidden", 9: "struck"}
_OFF = {22: ("bold", "faint"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 28: ("hidden",), 29: ("struck",)}
_CLASSES = {"bold": "b", "faint": "f", "italic": "i", "underline": "u", "struck": "s"}


class Style(NamedTuple):
    """All of it; nothing: as usual."""

    foreground: Colour = None
    background: Colour = None
    marks: frozenset[str] = frozenset()

    @property
    def is_usual(self) -> bool:
        """Whether nothing was said."""
        return self == USUAL


USUAL = Style()


@lru_cache(maxsize=4096)
def changed(style: Style, parameters: str) -> Style:
    """Return what a style is after `CSI parameters m`."""
    numbers = [int(one) if one.isdecimal() and len(one) < 5 else 0 for one in parameters.replace(":", ";").split(";")]
    at = 0
    while at < len(numbers):
        number, at = numbers[at], at + 1
        if number == 0:
            style = USUAL
        elif number in _ON:
            style = style._replace(marks=style.marks | {_ON[number]})
        elif number in _OFF:
            style = style._replace(marks=style.marks.difference(_OFF[number]))
        elif number in (38, 48):
            colour, at = _extended(numbers, at)
            style = style._replace(foreground=colour) if number == 38 else style._replace(background=colour)
        elif number in (39, 49):
            style = style._replace(foreground=None) if number == 39 else style._replace(background=None)
        elif (colour := _own(number)) is not None:
            is_behind = number // 10 in (4, 10)
            style = style._replace(background=colour) if is_behind else style._replace(foreground=colour)
    return style


def _own(number: int) -> int | None:
    for first, colour in ((30, 0), (40, 0), (90, 8), (100, 8)):
        if first <= number < first + 8:
            return colour + number - first
    return None


def _extended(numbers: list[int], at: int) -> tuple[Colour, int]:
    if numbers[at : at + 1] == [5] and at + 1 < len(numbers):
        return _of_256(min(numbers[at + 1], 255)), at + 2
    if numbers[at : at + 1] == [2] and at + 3 < len(numbers):
        red, green, blue = (min(one, 255) for one in numbers[at + 1 : at + 4])
        return f"#{red:02x}{green:02x}{blue:02x}", at + 4
    return None, len(numbers)


def _of_256(number: int) -> Colour:
    if number < 16:
        return number
    if number > 231:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3
    steps = (number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6
    return "#" + "".join(f"{55 + 40 * step if step else 0:02x}" for step in steps)


@lru_cache(maxsize=4096)
def attributes(style: Style) -> str:
    """Return the attributes of a `span` that shows it."""
    foreground, background = style.foreground, style.background
    if "inverse" in style.marks:
        foreground, background = (
            ("bg" if background is None else background),
            ("fg" if foreground is None else foreground),
        )
    if "hidden" in style.marks:
        foreground = "transparent"
    classes = [_CLASSES[mark] for mark in sorted(style.marks) if mark in _CLASSES]
    rules = []
    if foreground is not None:
        rules.append(f"color:{_css(foreground, alone=background is None)}")
    if background is not None:
        rules.append(f"background:{_css(background, alone=False)}")
        if foreground is None and isinstance(background, str) and background.startswith("#"):
            rules.append(f"color:{'#000' if _light(background) > 0.5 else '#fff'}")
    told = f' class="{" ".join(classes)}"' if classes else ""
    return told + (f' style="{";".join(rules)}"' if rules else "")


def _css(colour: int | str, *, alone: bool) -> str:
    if isinstance(colour, int):
        return f"var(--c{colour})"
    if not colour.startswith("#"):
        return colour if colour == "transparent" else f"var(--{colour})"
    if not alone:
        return colour
    # On a page that is light or dark as its reader likes, a colour without a background must be seen on both.
    light = _light(colour)
    return (
        f"light-dark({_mixed(colour, 0) if light > 0.6 else colour},{_mixed(colour, 255) if light < 0.3 else colour})"
    )


def _parts(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _light(colour: str) -> float:
    red, green, blue = _parts(colour)
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255


def _mixed(colour: str, other: int) -> str:
    return "#" + "".join(f"{(part + other) // 2:02x}" for part in _parts(colour))
