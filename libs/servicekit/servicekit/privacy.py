"""A service's part in what the law gives people: whom a request is about, its export, and its receipt.

Who a person is, auth alone says, for as long as the request runs. No address is ever in an event, and none is
kept from here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from comptoir.auth.v1 import privacy_pb2, privacy_pb2_grpc
from comptoir.common.v1 import privacy_pb2 as common_pb2
from servicekit import ids
from servicekit.errors import Internal
from servicekit.events import Event
from servicekit.rpc.client import Peer


@dataclass(frozen=True, slots=True)
class Subject:
    """How a guest can be reached. All are empty once the request has ended: then there is nothing to do."""

    email: str
    phone: str
    name: str
    """Who of those who share the number."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a request leads to in a service that knows a person by ids alone."""

    request_id: UUID
    user: UUID | None
    """The account that it is about; None for a guest."""
    bookings: tuple[UUID, ...]


class PrivacyDesk:
    """Auth, as far as requests about persons go. No transaction may be open while it is asked."""

    def __init__(self, auth: Peer) -> None:
        self._auth = auth
        self._stub = auth.stub(privacy_pb2_grpc.PrivacyDirectoryServiceStub)

    async def subject(self, organization: UUID, request_id: UUID) -> Subject:
        """Whom a request is about. Raises what `Peer.call` raises."""
        request = privacy_pb2.GetPrivacySubjectRequest(request_id=ids.show("prq", request_id))
        found = await self._auth.call(self._stub.GetPrivacySubject, request, organization=organization)
        return Subject(found.email, found.phone, found.name)

    async def hand_in(
        self, organization: UUID | None, request_id: UUID, kept: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        """Gives auth what is kept here, rows by table; handed in again, the first counts. Raises likewise."""
        request = privacy_pb2.PutExportPartRequest(
            request_id=ids.show("prq", request_id), document=document(kept)
        )
        await self._auth.call(self._stub.PutExportPart, request, organization=organization)


def document(kept: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """Rows by table as JSON: times as RFC 3339, ids as UUIDs, bytes as hexadecimal digits."""
    return json.dumps(kept, ensure_ascii=False, indent=1, default=_plain).encode()


def erased(rows: Mapping[str, int]) -> list[common_pb2.ErasedRows]:
    """What was erased, for a receipt."""
    return [common_pb2.ErasedRows(table=table, rows=count) for table, count in rows.items()]


def request_of(event: Event) -> tuple[UUID, UUID | None]:
    """Which request an event is about, and the account, if it is about one."""
    user = ids.parse("usr", event.message.user_id, Internal) if event.message.user_id else None
    return ids.parse("prq", event.message.request_id, Internal), user


def trace_of(event: Event) -> Trace:
    """What booking says of a request that it has done its part of."""
    request_id, user = request_of(event)
    return Trace(
        request_id, user, tuple(ids.parse("bkg", each, Internal) for each in event.message.booking_ids)
    )


def _plain(value: object) -> str:
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return str(value)
