"""What payment needs of a payment provider; a second one only has to speak this."""

from typing import Protocol

from payment.domain.payments import Payment
from payment.domain.provider import Intent, ProviderEvent, RefundAnswer
from payment.domain.refunds import Refund


class Provider(Protocol):
    """A payment provider. Every call but `read_event` is network, so none belongs inside a transaction.

    All of them raise Unavailable or DeadlineExceeded when the outcome is not known, and ProviderRefused when
    the provider said no. Each may be repeated: it leads to the same intent and to the same refund.
    """

    name: str

    async def make_intent(self, payment: Payment) -> Intent:
        """The intent by which the guest pays; the same one when asked again within a day."""
        ...

    async def find_intent(self, reference: str) -> Intent:
        """Where an intent stands now."""
        ...

    async def close_intent(self, reference: str) -> Intent:
        """Closes an intent unless it is paid or on its way; answers how it stands then."""
        ...

    async def give_back(self, reference: str, refund: Refund) -> RefundAnswer:
        """Refunds a paid intent, or finds the refund that was made for `refund` before."""
        ...

    def read_event(self, payload: bytes, signature: str) -> ProviderEvent:
        """Reads a webhook.

        Raises:
            StripeSignatureInvalid: nobody who knows our secret signed these bytes in the last five minutes.
            StripeEventInvalid: signed, but no event.
        """
        ...
