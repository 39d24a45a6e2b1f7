"""An event as a consumer sees it: message and CloudEvents attributes, and how both travel in Kafka."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf.message import DecodeError, Message

from servicekit import contract

SOURCE_PREFIX = "/comptoir/"


class Undecodable(Exception):
    """A record that is no event of the contract."""


@dataclass(frozen=True, slots=True)
class Event:
    """One published fact. `id` stays the same when it is delivered again."""

    id: UUID
    type: str
    """Like "comptoir.booking.v1.BookingConfirmed"."""
    organization: UUID | None
    time: datetime
    """When it was written down, by the clock of the service's database."""
    subject: str
    """The id of what it is about, the key of the log."""
    message: Any
    """The decoded protobuf message of `type`."""
    traceparent: str | None = None

    @property
    def tenant(self) -> UUID:
        """The organization of an event that has one."""
        assert self.organization is not None, self.type  # noqa: S101  # the contract's producers set it
        return self.organization


def to_headers(row: Mapping[str, Any], service: str) -> list[tuple[str, bytes]]:
    """The Kafka headers of an outbox row: CloudEvents 1.0 in the binary mode of its Kafka binding."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(row["event_id"]),
        "ce_type": row["type"],
        "ce_source": SOURCE_PREFIX + service,
        "ce_time": row["created_at"].isoformat(),
        "ce_subject": row["subject"],
        "ce_organizationid": str(row["organization_id"] or ""),
        "content-type": "application/protobuf",
        **row["headers"],
    }
    return [(name, str(value).encode()) for name, value in headers.items()]


def shown(raw: bytes | None) -> str:
    """A header as text that any table and log can hold, whatever somebody put into it."""
    return (raw or b"").decode(errors="replace").replace("\x00", "\ufffd")


def from_record(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> Event:
    """Decodes a Kafka record.

    Raises:
        Undecodable: attributes are missing, the type is unknown, or the bytes are not of that type.
    """
    try:
        texts = {name: (raw or b"").decode() for name, raw in headers}
        known = contract.events()[texts["ce_type"]]
        message: Message = known.message.FromString(value or b"")
        organization = texts.get("ce_organizationid")
        return Event(
            id=UUID(texts["ce_id"]),
            type=known.name,
            organization=UUID(organization) if organization else None,
            time=datetime.fromisoformat(texts["ce_time"]),
            subject=texts.get("ce_subject", ""),
            message=message,
            traceparent=texts.get("traceparent"),
        )
    except (KeyError, ValueError, DecodeError) as error:
        raise Undecodable(type(error).__name__) from error
