"""The message on the wire: headers, the two bodies, and the calendar object."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from uuid import UUID

from notification.mails import rendering
from notification.mails.calendar import Method
from notification.mails.letters import Letter
from servicekit import ids

_PREFIX = "ntf"


class Unaddressable(Exception):
    """The recipient's address is none that a header can carry."""


def compose(
    letter: Letter, *, mail: UUID, sender: str, now: datetime, invitation: tuple[Method, bytes] | None = None
) -> bytes:
    """The bytes to send. The Message-ID follows from the mail's id: a repetition can be recognised by it.

    Raises:
        Unaddressable: no mail can be addressed to the recipient.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(sender)
    message["To"] = _address_of(letter.recipient, letter.recipient_name)
    message["Subject"] = _one_line(letter.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{ids.show(_PREFIX, mail)}@{address_of(sender).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = letter.language
    message.set_content(rendering.text(letter), cte="quoted-printable")
    message.add_alternative(rendering.html(letter), subtype="html", cte="quoted-printable")
    if invitation is not None:
        _invite(message, *invitation)
    return message.as_bytes()


def address_of(sender: str) -> str:
    """The bare address of "Name <address>"."""
    return parseaddr(sender)[1]


def _invite(message: EmailMessage, method: Method, calendar: bytes) -> None:
    """As an alternative, which calendars act on, and as a file, for readers without one."""
    message.add_alternative(calendar, "text", "calendar", cte="base64", params={"method": method.value})
    list(message.iter_parts())[-1].set_param("charset", "utf-8")
    message.add_attachment(calendar, "application", "ics", filename="invite.ics")


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return _address_of(address, name)


def _address_of(address: str, name: str) -> Address:
    user, _, domain = address.rpartition("@")
    if not user or not domain or not address.isascii() or not address.isprintable() or " " in address:
        raise Unaddressable
    return Address(_one_line(name), user, domain)


def _one_line(text: str) -> str:
    return "".join(each for each in " ".join(text.split()) if each.isprintable())
