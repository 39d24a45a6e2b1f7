"""What each mail says: plain text in its parts, in the reader's language. Knows no HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from notification.domain.bookings import Booking, BookingStatus, WaitlistEntry
from notification.domain.mails import MailKind
from notification.mails.formats import Formats
from notification.mails.texts import language_of, load

_MANAGE, _WAITLIST = "manage", "waitlist"
"""Where links lead."""
_DEADLINES = {
    BookingStatus.HELD: "until",
    BookingStatus.REQUESTED: "answered_by",
}
"""What has to happen by the end of a hold, or of a request."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the box with the booking."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it takes a form. Everything is plain text."""

    language: str
    recipient: str
    recipient_name: str
    sender: str
    """Who writes, as the head of the mail shows it: the venue, or Comptoir."""
    subject: str
    title: str
    greeting: str
    lead: str
    quotation: str
    """What staff wrote; empty for none. Line breaks count."""
    facts: Sequence[Fact]
    button: str
    link: str
    link_hint: str
    note: str
    small_print: Sequence[str]
    colon: str
    """How the language sets one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of staff that a mail carries."""

    ticket: str
    text: str


def about_booking(
    kind: MailKind, booking: Booking, *, public_url: str, answer: Answer | None = None
) -> Letter:
    """The letter about a booking, or about an answer to a question about one."""
    language = language_of(booking.language)
    texts, formats = load(language), Formats(language)
    shared, own = texts["shared"], texts[kind.value]
    start, zone = booking.starts_at, booking.time_zone
    when = shared["moment"].format(date=formats.short(start, zone), time=formats.time(start, zone))
    names = {"venue": booking.venue, "when": when, "ticket": answer.ticket if answer else ""}
    by_venue = kind is MailKind.BOOKING_CANCELLED and booking.cancelled_by_venue
    return Letter(
        language=language,
        recipient=booking.guest_email,
        recipient_name=booking.guest_name,
        sender=booking.venue,
        subject=own["subject"].format(**names),
        title=own["title"].format(**names),
        greeting=shared["greeting"].format(name=booking.guest_name),
        lead=own["lead_by_venue" if by_venue else "lead"].format(**names),
        quotation=answer.text if answer else "",
        facts=_facts(kind, booking, formats, shared),
        button=own["button"],
        link=_link(
            public_url, _WAITLIST if kind is MailKind.WAITLIST_OFFERED else _MANAGE, booking.manage_token
        ),
        link_hint=shared["link_hint"],
        note=own["note"],
        small_print=[
            shared["link_private"],
            shared["footer"].format(email=booking.guest_email, venue=booking.venue),
        ],
        colon=shared["colon"],
    )


def about_waiting(entry: WaitlistEntry, *, public_url: str) -> Letter:
    """The letter to somebody who waits: what for, and the link to look, change or leave."""
    language = language_of(entry.language)
    texts, formats = load(language), Formats(language)
    shared, own = texts["shared"], texts[MailKind.WAITLIST_JOINED.value]
    names = {"venue": entry.venue, "when": formats.short_day(entry.best_date)}
    return Letter(
        language=language,
        recipient=entry.guest_email,
        recipient_name=entry.guest_name,
        sender=entry.venue,
        subject=own["subject"].format(**names),
        title=own["title"],
        greeting=shared["greeting"].format(name=entry.guest_name),
        lead=own["lead"].format(**names),
        quotation="",
        facts=_wish(entry, formats, shared),
        button=own["button"],
        link=_link(public_url, _WAITLIST, entry.token),
        link_hint=shared["link_hint"],
        note=own["note"],
        small_print=[
            shared["link_private_waitlist"],
            shared["footer_waitlist"].format(email=entry.guest_email, venue=entry.venue),
        ],
        colon=shared["colon"],
    )


def verification(*, email: str, name: str, language: str, token: str, public_url: str) -> Letter:
    """The letter with the link that verifies an address."""
    language = language_of(language)
    texts = load(language)
    shared, own = texts["shared"], texts[MailKind.EMAIL_VERIFICATION.value]
    return Letter(
        language=language,
        recipient=email,
        recipient_name=name,
        sender="Comptoir",
        subject=own["subject"],
        title=own["title"],
        greeting=shared["greeting"].format(name=name),
        lead=own["lead"],
        quotation="",
        facts=(),
        button=own["button"],
        link=f"{public_url.rstrip('/')}/verify-email?token={quote(token, safe='')}",
        link_hint=shared["link_hint"],
        note=own["note"],
        small_print=[shared["footer_account"].format(email=email)],
        colon=shared["colon"],
    )


def invitation(
    *, email: str, organization: str, inviter: str, language: str, token: str, public_url: str
) -> Letter:
    """The letter with the link that invites to an organization. `inviter` is empty for who has left."""
    language = language_of(language)
    texts = load(language)
    shared, own = texts["shared"], texts[MailKind.INVITATION.value]
    names = {"organization": organization, "inviter": inviter}
    return Letter(
        language=language,
        recipient=email,
        recipient_name="",
        sender="Comptoir",
        subject=own["subject"].format(**names),
        title=own["title"].format(**names),
        greeting=own["greeting"],
        lead=own["lead" if inviter else "lead_by_nobody"].format(**names),
        quotation="",
        facts=(),
        button=own["button"],
        link=f"{public_url.rstrip('/')}/invitation?token={quote(token, safe='')}",
        link_hint=shared["link_hint"],
        note=own["note"],
        small_print=[own["footer"].format(email=email, **names)],
        colon=shared["colon"],
    )


def _link(public_url: str, page: str, token: str) -> str:
    return f"{public_url.rstrip('/')}/{page}/{quote(token, safe='')}"


def _wish(entry: WaitlistEntry, formats: Formats, shared: dict[str, Any]) -> list[Fact]:
    days, flexible = formats.day(entry.best_date), entry.flexible_days
    also = shared["days_around"][formats.plural(flexible)].format(count=flexible) if flexible else ""
    hours = shared[_window(entry)].format(earliest=entry.earliest, latest=entry.latest)
    facts = [
        Fact(shared["when"], days, also),
        Fact(shared["hours"], hours),
        Fact(shared["party"], _guests(entry.party_size, formats, shared)),
        Fact(shared["waits_for"], entry.offering),
        Fact(shared["where"], entry.venue, entry.venue_address),
        Fact(shared["position"], str(entry.position) if entry.position else ""),
    ]
    return [fact for fact in facts if fact.value]


def _window(entry: WaitlistEntry) -> str:
    """Which text says what time suits."""
    match bool(entry.earliest), bool(entry.latest):
        case True, True:
            return "one_time" if entry.earliest == entry.latest else "window"
        case True, False:
            return "from"
        case False, True:
            return "until_latest"
        case _:
            return "any_time"


def _guests(count: int, formats: Formats, shared: dict[str, Any]) -> str:
    text: str = shared["guests"][formats.plural(count)]
    return text.format(count=count)


def _facts(kind: MailKind, booking: Booking, formats: Formats, shared: dict[str, Any]) -> list[Fact]:
    start, zone = booking.starts_at, booking.time_zone
    when = shared["in_zone"].format(date=formats.date(start, zone), time=formats.time(start, zone))
    facts = [
        Fact(shared["when"], when, formats.zone(start, zone)),
        Fact(shared["party"], _guests(booking.party_size, formats, shared)),
        Fact(shared["what"], booking.offering),
        Fact(shared["where"], booking.venue, booking.venue_address),
    ]
    if booking.deposit is not None and kind is not MailKind.REQUEST_DECLINED:
        facts.append(Fact(shared["deposit"], formats.money(booking.deposit)))
    if booking.fee_if_accepted is not None and booking.fee_if_accepted.amount:
        facts.append(Fact(shared["fee_if_accepted"], formats.money(booking.fee_if_accepted)))
    deadline = "reply_by" if kind is MailKind.WAITLIST_OFFERED else _DEADLINES.get(booking.status)
    if deadline and booking.hold_expires_at is not None:
        until, expiry = booking.hold_expires_at, formats.time(booking.hold_expires_at, zone)
        facts.append(
            Fact(shared[deadline], shared["moment"].format(date=formats.date(until, zone), time=expiry))
        )
    facts.append(Fact(shared["reference"], booking.reference))
    return [fact for fact in facts if fact.value]
