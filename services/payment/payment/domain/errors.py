"""Every refusal of payment. Public text only: never an amount, an input or a provider's own words."""

from servicekit.errors import AppError, Kind


class PaymentNotFound(AppError):
    """No payment of the organization has this id."""

    kind = Kind.NOT_FOUND
    reason = "PAYMENT_NOT_FOUND"
    detail = "There is no such payment."


class DepositMismatch(AppError):
    """The booking has a deposit already, over another amount."""

    kind = Kind.REFUSED
    reason = "DEPOSIT_MISMATCH"
    detail = "The booking already has a deposit over another amount."


class RefundExceedsPayment(AppError):
    """More is to be given back than was paid, or in another currency."""

    kind = Kind.REFUSED
    reason = "REFUND_EXCEEDS_PAYMENT"
    detail = "More is to be given back than was paid."


class BookingUnreadable(AppError):
    """An event names a booking by something that is no id of one. It becomes a dead letter."""

    kind = Kind.INVALID
    reason = "BOOKING_UNREADABLE"
    detail = "The event names no booking."


class ProviderRefused(AppError):
    """The payment provider says no: the amount is too small, the currency unknown, the state wrong."""

    kind = Kind.REFUSED
    reason = "PAYMENT_PROVIDER_REFUSED"
    detail = "The payment provider does not accept this payment."


class StripeSignatureInvalid(AppError):
    """The webhook was not signed by Stripe, was changed on its way, or is older than five minutes."""

    kind = Kind.INVALID
    reason = "STRIPE_SIGNATURE_INVALID"
    detail = "The signature of the webhook does not hold."


class StripeEventInvalid(AppError):
    """The webhook is signed, but is no event as Stripe's API describes it."""

    kind = Kind.INVALID
    reason = "STRIPE_EVENT_INVALID"
    detail = "The body is no Stripe event."
