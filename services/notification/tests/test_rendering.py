"""What mails say, in both languages; nothing a guest types becomes markup, a header or a property."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import icalendar
import pytest

from notification.domain.bookings import Booking, BookingStatus, WaitlistEntry
from notification.domain.mails import MailKind
from notification.mails import calendar, letters, messages, rendering
from notification.mails.calendar import Method
from notification.mails.texts import LANGUAGES, language_of, load
from servicekit import ids
from servicekit.money import Money

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
NOW = datetime(2027, 10, 1, 12, 0, tzinfo=UTC)
BOOKING = Booking(
    id=ID,
    reference="bkg_01h455vb4pex5vsknk084sn02q",
    version=3,
    status=BookingStatus.CONFIRMED,
    party_size=7,
    starts_at=datetime(2027, 10, 30, 17, 30, tzinfo=UTC),
    ends_at=datetime(2027, 10, 30, 19, 30, tzinfo=UTC),
    time_zone="Europe/Paris",
    guest_name="Camille",
    guest_email="camille@example.org",
    language="fr",
    offering="Dîner",
    venue="Chez Paulette",
    venue_address="12 rue des Martyrs, 75009 Paris",
    manage_token="Zx81kS0m",
    deposit=Money(7000, "EUR"),
)
WAITING = WaitlistEntry(
    waits=True,
    position=2,
    party_size=4,
    best_date=date(2027, 11, 1),
    flexible_days=1,
    earliest="18:00",
    latest="00:30",
    guest_name="Camille",
    guest_email="camille@example.org",
    language="fr",
    offering="Dîner",
    venue="Chez Paulette",
    venue_address="12 rue des Martyrs, 75009 Paris",
    token="Zx81kS0m",
)

_ABOUT_OTHERS = {
    MailKind.EMAIL_VERIFICATION,
    MailKind.ACCOUNT,
    MailKind.INVITATION,
    MailKind.WAITLIST_JOINED,
}
ABOUT_BOOKINGS = [kind for kind in MailKind if kind not in _ABOUT_OTHERS]


def _golden(name: str) -> str:
    return Path(__file__).with_name("golden").joinpath(f"{name}.txt").read_text(encoding="utf-8")


def _letter(kind: MailKind, booking: Booking = BOOKING) -> letters.Letter:
    answer = letters.Answer("High chair", "Of course.") if kind is MailKind.TICKET_ANSWERED else None
    return letters.about_booking(kind, booking, public_url="https://book.example/", answer=answer)


def _message(booking: Booking = BOOKING, method: Method = Method.REQUEST) -> EmailMessage:
    invitation = calendar.render(booking, method, organizer="bookings@book.example", now=NOW)
    raw = messages.compose(
        _letter(MailKind.BOOKING_CONFIRMED, booking),
        mail=ID,
        sender="Comptoir <bookings@book.example>",
        now=NOW,
        invitation=(method, invitation),
    )
    return message_from_bytes(raw, policy=policy.default)


def _event(booking: Booking, method: Method = Method.REQUEST) -> Any:
    raw = calendar.render(booking, method, organizer="bookings@book.example", now=NOW)
    parsed: Any = icalendar.Calendar.from_ical(raw)
    (event,) = parsed.walk("VEVENT")
    return event


def test_french_reads_like_this() -> None:
    letter = _letter(MailKind.BOOKING_CONFIRMED)
    assert letter.subject == "Confirmé : Chez Paulette, 30 oct. à 19:30"
    assert rendering.text(letter) == _golden("fr-booking_confirmed")


def test_english_reads_like_this() -> None:
    held = replace(
        BOOKING,
        language="en",
        status=BookingStatus.HELD,
        party_size=1,
        hold_expires_at=datetime(2027, 10, 1, 12, 15, tzinfo=UTC),
    )
    letter = _letter(MailKind.PAYMENT_REQUESTED, held)
    assert letter.subject == "Please pay the deposit: Chez Paulette, 30 Oct at 19:30"
    assert rendering.text(letter) == _golden("en-payment_requested")


def test_whoever_waits_reads_this_in_french() -> None:
    letter = letters.about_waiting(WAITING, public_url="https://book.example/")
    assert letter.subject.endswith("attente : Chez Paulette, 1er nov.")
    assert rendering.text(letter) == _golden("fr-waitlist_joined")
    assert 'href="https://book.example/waitlist/Zx81kS0m"' in rendering.html(letter)


@pytest.mark.parametrize(
    ("earliest", "latest", "said"),
    [
        ("", "", "Time: any time"),
        ("18:00", "", "Time: from 18:00"),
        ("", "21:30", "Time: until 21:30"),
        ("18:00", "18:00", "Time: 18:00"),
        ("18:00", "00:30", "Time: 18:00 to 00:30"),
    ],
)
def test_a_window_of_time_reads_like_one(earliest: str, latest: str, said: str) -> None:
    entry = replace(WAITING, language="en", earliest=earliest, latest=latest, flexible_days=0, position=0)
    text = rendering.text(letters.about_waiting(entry, public_url="https://book.example/"))
    assert f"\n{said}\n" in text
    assert "\nWhen: Monday, 1 November 2027\n" in text
    assert "Place in line" not in text


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (MailKind.WAITLIST_OFFERED, BookingStatus.HELD, "Your answer by: Friday, 1 October 2027 at 14:15"),
        (MailKind.PAYMENT_REQUESTED, BookingStatus.HELD, "To pay by: Friday, 1 October 2027 at 14:15"),
        (MailKind.REQUEST_RECEIVED, BookingStatus.REQUESTED, "Answered by: Friday, 1 October 2027 at 14:15"),
    ],
)
def test_a_deadline_says_what_has_to_happen_by_then(kind: MailKind, status: BookingStatus, said: str) -> None:
    until = datetime(2027, 10, 1, 12, 15, tzinfo=UTC)
    booking = replace(BOOKING, language="en", status=status, hold_expires_at=until)
    assert said in rendering.text(_letter(kind, booking))


def test_every_language_has_every_text() -> None:
    def names(table: dict[str, object]) -> object:
        return {key: names(value) if isinstance(value, dict) else None for key, value in table.items()}

    assert all(names(load(language)) == names(load("en")) for language in LANGUAGES)
    assert {kind.value for kind in MailKind} == load("en").keys() - {"shared"}


@pytest.mark.parametrize(("wish", "language"), [("fr", "fr"), ("fr-CA", "fr"), ("de", "en"), ("", "en")])
def test_an_unknown_language_falls_back(wish: str, language: str) -> None:
    assert language_of(wish) == language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ABOUT_BOOKINGS)
def test_every_mail_renders_with_its_link_and_styles_inlined(kind: MailKind, language: str) -> None:
    letter = _letter(kind, replace(BOOKING, language=language))
    page = rendering.html(letter)
    page_of_link = "waitlist" if kind is MailKind.WAITLIST_OFFERED else "manage"
    assert f'href="https://book.example/{page_of_link}/Zx81kS0m"' in page
    assert 'class="card" style="' in page
    assert "prefers-color-scheme: dark" in page
    assert "{" not in rendering.text(letter)


def test_the_first_of_a_month_is_french() -> None:
    first = replace(BOOKING, starts_at=datetime(2027, 11, 1, 18, 0, tzinfo=UTC))
    assert "lundi 1er novembre 2027" in rendering.text(_letter(MailKind.BOOKING_CONFIRMED, first))


def test_a_venue_that_cancels_says_sorry() -> None:
    letter = _letter(MailKind.BOOKING_CANCELLED, replace(BOOKING, language="en", cancelled_by_venue=True))
    assert letter.lead.startswith("We are sorry")


def test_a_hostile_guest_stays_text() -> None:
    hostile = replace(
        BOOKING,
        guest_name="<script>alert(1)</script>{{ 7*7 }}{letter}\r\nBcc: all@example.org",
        venue="<img src=x onerror=alert(1)>",
        language="en",
    )
    page = rendering.html(_letter(MailKind.BOOKING_CONFIRMED, hostile))
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}{letter}" in page
    message = _message(hostile)
    assert message["Bcc"] is None
    assert message["To"].addresses[0].addr_spec == "camille@example.org"
    event = _event(hostile)
    assert str(event["ATTENDEE"]) == "mailto:camille@example.org"
    assert "BCC" not in event


def test_a_hostile_guest_who_waits_stays_text() -> None:
    name = "<script>alert(1)</script>{{ 7*7 }}{letter}\r\nBcc: all@example.org"
    letter = letters.about_waiting(replace(WAITING, guest_name=name), public_url="https://book.example/")
    page = rendering.html(letter)
    assert "<script>" not in page
    assert "{{ 7*7 }}{letter}" in page
    raw = messages.compose(letter, mail=ID, sender="Comptoir <bookings@book.example>", now=NOW)
    assert message_from_bytes(raw, policy=policy.default)["Bcc"] is None


def test_a_token_cannot_leave_its_place_in_the_link() -> None:
    letter = _letter(MailKind.BOOKING_CONFIRMED, replace(BOOKING, manage_token='x"/../?a=b#c'))
    assert letter.link == "https://book.example/manage/x%22%2F..%2F%3Fa%3Db%23c"


def test_the_message_is_what_clients_expect() -> None:
    message = _message()
    assert message["Message-ID"] == f"<{ids.show('ntf', ID)}@book.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"].addresses[0].addr_spec == "bookings@book.example"
    types = [part.get_content_type() for part in message.walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    invitation: Any = list(message.walk())[4]
    assert invitation["Content-Type"].params == {"method": "REQUEST", "charset": "utf-8"}
    parsed: Any = icalendar.Calendar.from_ical(invitation.get_payload(decode=True))
    assert parsed["METHOD"] == "REQUEST"


def test_no_line_of_a_message_is_longer_than_smtp_allows() -> None:
    raw = _message(replace(BOOKING, venue="Paulette " * 200)).as_bytes(policy=policy.SMTP)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_the_calendar_object_says_when_where_and_who() -> None:
    event = _event(BOOKING)
    assert (str(event["UID"]), event["SEQUENCE"]) == (BOOKING.reference, 3)
    assert event["DTSTART"].dt == BOOKING.starts_at
    assert event["DTSTART"].params["TZID"] == "Europe/Paris"
    assert event["DTEND"].dt - event["DTSTART"].dt == timedelta(hours=2)
    assert str(event["SUMMARY"]) == "Chez Paulette: Dîner"
    assert str(event["LOCATION"]) == "Chez Paulette, 12 rue des Martyrs, 75009 Paris"
    assert str(event["ORGANIZER"]) == "mailto:bookings@book.example"
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"


def test_a_cancellation_removes_the_same_event() -> None:
    raw = calendar.render(BOOKING, Method.CANCEL, organizer="bookings@book.example", now=NOW)
    parsed: Any = icalendar.Calendar.from_ical(raw)
    (event,) = parsed.walk("VEVENT")
    assert (parsed["METHOD"], event["STATUS"], str(event["UID"])) == (
        "CANCEL",
        "CANCELLED",
        BOOKING.reference,
    )


@pytest.mark.parametrize(
    ("zone", "month", "standard", "daylight"),
    [("Europe/Paris", 6, 60, 120), ("America/New_York", 12, -300, -240), ("Asia/Tokyo", 6, 540, 540)],
)
def test_the_zone_s_own_rules_give_the_right_instant(
    zone: str, month: int, standard: int, daylight: int
) -> None:
    """Reads the rules as a client without a zone database does: the last onset before the start decides."""
    booking = replace(
        BOOKING,
        time_zone=zone,
        starts_at=datetime(2027, month, 15, 18, tzinfo=UTC),
        ends_at=datetime(2027, month, 15, 20, tzinfo=UTC),
    )
    raw = calendar.render(booking, Method.REQUEST, organizer="bookings@book.example", now=NOW)
    parsed: Any = icalendar.Calendar.from_ical(raw)
    (rules,) = parsed.walk("VTIMEZONE")
    (event,) = parsed.walk("VEVENT")
    local = event["DTSTART"].dt.replace(tzinfo=None)
    onsets = sorted((rule["DTSTART"].dt, rule["TZOFFSETTO"].td) for rule in rules.subcomponents)
    offset = [offset for onset, offset in onsets if onset <= local][-1]
    assert (local - offset).replace(tzinfo=UTC) == booking.starts_at
    minutes = {int(offset.total_seconds() // 60) for _, offset in onsets}
    assert minutes == {standard, daylight}


def test_the_second_half_past_two_of_an_autumn_night_is_told_in_utc() -> None:
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    second = first + timedelta(hours=1)
    assert _event(replace(BOOKING, starts_at=first))["DTSTART"].params["TZID"] == "Europe/Paris"
    assert _event(replace(BOOKING, starts_at=second))["DTSTART"].to_ical() == b"20271031T013000Z"
    texts = [
        rendering.text(_letter(MailKind.BOOKING_CONFIRMED, replace(BOOKING, starts_at=moment)))
        for moment in (first, second)
    ]
    assert "02:30 (Europe/Paris, UTC+02:00)" in texts[0]
    assert "02:30 (Europe/Paris, UTC+01:00)" in texts[1]


def test_a_verification_mail_carries_the_token() -> None:
    letter = letters.verification(
        email="p@example.org", name="Paulette", language="en", token="a&b", public_url="https://book.example"
    )
    assert letter.link == "https://book.example/verify-email?token=a%26b"
    assert "Confirm my address" in rendering.html(letter)
