"""What the gateway remembers of answers: the same JSON, made once, within bounds."""

from gateway.shown import Shown


class Counted:
    """Shows a message in capitals, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, message: bytes) -> bytes:
        self.asked += 1
        return message.upper()


def test_the_same_bytes_are_shown_once() -> None:
    show = Counted()
    shown = Shown(show)
    assert [shown(each) for each in (b"a", b"b", b"a", b"a")] == [b"A", b"B", b"A", b"A"]
    assert show.asked == 2


def test_what_was_not_asked_for_lately_is_forgotten_first() -> None:
    show = Counted()
    shown = Shown(show, most_bytes=4)
    for each in (b"a", b"b", b"a", b"c"):  # c takes the place of b
        shown(each)
    assert show.asked == 3
    shown(b"a")
    assert show.asked == 3
    shown(b"b")
    assert show.asked == 4


def test_a_large_answer_takes_nobodys_place() -> None:
    show = Counted()
    shown = Shown(show)
    large = b"x" * 200_000
    assert shown(large) == shown(large) == large.upper()
    assert show.asked == 2
