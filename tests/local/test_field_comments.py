from __future__ import annotations

from descartes_local.field_comments import comments_of


class Told:
    """Fields with and without a comment."""

    #: One line.
    one: int = 1
    # None of ours.
    two: int = 2
    #: Two
    #: lines.
    three: int = 3


class More(Told):
    four: int = 4


def test_comments_above_a_field_are_its_own() -> None:
    assert comments_of(Told) == {"one": "One line.", "three": "Two lines."}
    assert comments_of(More) == {}
