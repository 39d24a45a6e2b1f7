"""What booking says when it has done its part of a request about a person: ids and numbers of rows alone."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from comptoir.booking.v1 import events_pb2
from servicekit import ids, outbox, privacy
from servicekit.database import Transaction


async def personal_data_erased(
    tx: Transaction, request_id: UUID, *, user: UUID | None, bookings: Sequence[UUID], rows: Mapping[str, int]
) -> None:
    """A person is forgotten here; who knows them by these bookings alone forgets them next."""
    message = events_pb2.PersonalDataErased(
        request_id=ids.show("prq", request_id),
        user_id=ids.show("usr", user) if user else "",
        booking_ids=[ids.show("bkg", each) for each in bookings],
        erased=privacy.erased(rows),
    )
    await outbox.add(tx, message, key=request_id)


async def personal_data_exported(
    tx: Transaction, request_id: UUID, *, user: UUID | None, bookings: Sequence[UUID]
) -> None:
    """What is kept here of a person is handed in; who knows them by these bookings alone follows."""
    message = events_pb2.PersonalDataExported(
        request_id=ids.show("prq", request_id),
        user_id=ids.show("usr", user) if user else "",
        booking_ids=[ids.show("bkg", each) for each in bookings],
    )
    await outbox.add(tx, message, key=request_id)
