"""Stripe's minor units where they are not those of ISO 4217 (docs.stripe.com/currencies, special cases)."""

from payment.domain.errors import ProviderRefused
from servicekit.money import Money

_AS_TWO_DECIMALS = frozenset({"ISK", "UGX"})
"""Without decimals in ISO 4217; Stripe wants two zeros."""
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Stripe takes only amounts that end in zero."""
_UNSUPPORTED = frozenset({"MGA"})
"""Its ariary is a fifth in ISO 4217 and whole at Stripe: no amount would be right for both."""


def to_stripe(money: Money) -> int:
    """The amount as Stripe counts it.

    Raises:
        ProviderRefused: Stripe cannot take exactly this amount.
    """
    if money.currency in _UNSUPPORTED or (money.currency in _THREE_DECIMALS and money.amount % 10):
        raise ProviderRefused
    return money.amount * 100 if money.currency in _AS_TWO_DECIMALS else money.amount
