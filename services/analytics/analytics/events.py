"""The one thing that analytics tells others: that it has done its part in forgetting a person."""

from uuid import UUID

from comptoir.analytics.v1 import events_pb2
from servicekit import ids, outbox, privacy
from servicekit.database import Transaction

_FACTS = ("booking_facts", "payment_facts", "refund_facts")
"""They hold ids, times and numbers: `docs/privacy.md` says of each column why none is of a person."""


async def personal_data_erased(tx: Transaction, request_id: UUID, organization: UUID | None) -> None:
    """The receipt."""
    message = events_pb2.PersonalDataErased(
        request_id=ids.show("prq", request_id), erased=privacy.erased(dict.fromkeys(_FACTS, 0))
    )
    await outbox.add(tx, message, key=request_id, organization=organization)
