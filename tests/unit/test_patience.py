"""How long a client waits, and how it says so."""

from emtui.link.patience import LONGEST_ASKED_WAIT_S, Patience, ordinal


def test_waits_grow_and_are_capped() -> None:
    patience = Patience(first_s=1.0, longest_s=10.0, jitter=lambda: 0.5)
    waits = [patience.wait_s(tries) for tries in range(1, 12)]
    assert waits[0] == 1.0
    assert waits == sorted(waits)
    assert waits[-1] == 10.0


def test_an_hour_of_tries_does_not_overflow() -> None:
    assert Patience(jitter=lambda: 0.0).wait_s(1_000_000) > 0


def test_jitter_is_a_quarter_to_both_sides() -> None:
    assert Patience(first_s=4.0, jitter=lambda: 0.0).wait_s(1) == 3.0
    assert Patience(first_s=4.0, jitter=lambda: 1.0).wait_s(1) == 5.0


def test_ordinals() -> None:
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd", "111th",
    ]  # fmt: skip


def test_what_the_other_side_asks_for_is_waited_up_to_a_bound() -> None:
    patience = Patience(jitter=lambda: 0.5)
    assert patience.wait_s(1, 7.0) == 7.0
    assert patience.wait_s(1, 0.0) == patience.wait_s(1)
    assert patience.wait_s(1, 1e9) == LONGEST_ASKED_WAIT_S
