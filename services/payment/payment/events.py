"""Events that payment publishes, written to the outbox with the change. They hold no secret."""

from collections.abc import Mapping
from uuid import UUID

from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2
from payment.domain.payments import Payment
from servicekit import ids, outbox, privacy
from servicekit.database import Transaction
from servicekit.money import Money


async def payment_succeeded(tx: Transaction, payment: Payment) -> None:
    """A deposit was paid."""
    message = events_pb2.PaymentSucceeded(
        payment_id=ids.show("pay", payment.id),
        booking_id=ids.show("bkg", payment.booking_id),
        amount=_money(payment.amount),
    )
    await outbox.add(tx, message, key=payment.id, organization=payment.organization_id)


async def payment_refunded(tx: Transaction, payment: Payment) -> None:
    """Money was given back; the event tells how much in all."""
    message = events_pb2.PaymentRefunded(
        payment_id=ids.show("pay", payment.id),
        booking_id=ids.show("bkg", payment.booking_id),
        refunded=_money(payment.refunded),
    )
    await outbox.add(tx, message, key=payment.id, organization=payment.organization_id)


def _money(money: Money) -> values_pb2.Money:
    return values_pb2.Money(amount=money.amount, currency=money.currency)


async def personal_data_erased(
    tx: Transaction, request_id: UUID, organization: UUID | None, rows: Mapping[str, int]
) -> None:
    """A person is forgotten here."""
    message = events_pb2.PersonalDataErased(
        request_id=ids.show("prq", request_id), erased=privacy.erased(rows)
    )
    await outbox.add(tx, message, key=request_id, organization=organization)
