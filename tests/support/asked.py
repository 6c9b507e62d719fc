"""What a terminal would answer, in what is written to it."""

from __future__ import annotations

import re

#: Everything a painted screen may be made of; it is spelt out, so that nothing new gets in unseen.
_HARMLESS = re.compile(
    r"\x1b\[[0-9;:]*[mHGXrsJ]"  # pen, place, column, erased letters, margins, clear
    r"|\x1b\[\?(?:1|5|6|7|9|25|45|47|69|1000|1002|1003|1004|1005|1006|1015|1016|1047|1049|2004|2031)[hl]"
    r"|\x1b\[4[hl]|\x1b\[=[0-9]+;1u"
    r"|\x1b[=>]|\x1b[()*+][0-9A-Z<>%]+|\x1b[no|}~]|[\x0e\x0f]"
    r"|\x1b\]2;[^\x00-\x1f\x7f-\x9f]*\x1b\\|\x1b\]8;[^\x00-\x1f\x7f-\x9f]*\x1b\\"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f][^\x1b]{0,20}")


def questions_of(vt: str) -> list[str]:
    """Return what is neither text nor known to be harmless."""
    return _CONTROL.findall(_HARMLESS.sub("", vt))
