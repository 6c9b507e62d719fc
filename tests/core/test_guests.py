from __future__ import annotations

from dataclasses import dataclass

from descartes_core.guests import Guests


@dataclass(eq=False)
class Somebody:
    is_idle: bool = True
    held: int = 0


def test_who_never_spoke_leaves_before_who_spoke_long_ago() -> None:
    guests: Guests[Somebody] = Guests(3)
    first, second, third = (Somebody() for _ in range(3))
    for one in (first, second, third):
        guests.add(one)
    guests.heard(second)
    guests.heard(first)
    assert guests.is_full
    assert list(guests) == [third, second, first]
    assert guests.longest_idle() is third
    guests.remove(third)
    assert guests.longest_idle() is second
    guests.heard(second)
    assert guests.longest_idle() is first


def test_the_busy_stay() -> None:
    guests: Guests[Somebody] = Guests(1)
    guests.add(busy := Somebody(is_idle=False))
    assert guests.longest_idle() is None
    busy.is_idle = True
    assert guests.longest_idle() is busy


def test_who_is_gone_says_nothing() -> None:
    guests: Guests[Somebody] = Guests(1)
    guests.add(one := Somebody())
    guests.remove(one)
    guests.heard(one)
    guests.remove(one)
    assert (len(guests), one in guests, guests.is_full) == (0, False, False)


def test_who_holds_most_is_found_when_all_hold_too_much() -> None:
    guests: Guests[Somebody] = Guests(9)
    small, large = Somebody(held=3), Somebody(held=6)
    guests.add(small)
    guests.add(large)
    guests.heard(large)
    assert guests.largest(9) is None
    assert guests.largest(8) is large
    guests.remove(large)
    guests.remove(small)
    assert guests.largest(0) is None


def test_where_all_are_busy_who_has_more_than_half_makes_room_for_others() -> None:
    guests: Guests[Somebody] = Guests(4)
    first, second, third, other = (Somebody(is_idle=False, held=held) for held in (7, 7, 7, 8))
    for one in (first, second, third, other):
        guests.add(one)
    guests.heard(second)
    guests.heard(first)

    def leaves(newcomer: Somebody) -> Somebody | None:
        return guests.of_the_greedy(newcomer, lambda one: one.held)

    assert leaves(Somebody(held=8)) is third
    guests.remove(third)
    assert leaves(Somebody(held=9)) is second
    assert leaves(Somebody(held=7)) is None
    guests.remove(second)
    assert leaves(Somebody(held=9)) is None
