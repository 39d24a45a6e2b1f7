"""An offering's terms as the JSON of their column. Knows no SQL."""

from collections.abc import Mapping
from typing import Any

from booking.domain.terms import RequestRule, Terms
from servicekit.money import Money


def terms_document(terms: Terms) -> dict[str, Any]:
    """Terms as they are kept; amounts are in the venue's currency."""
    asking, price = terms.requests, terms.price_per_person
    return {
        "price": price.amount if price else None,
        "policy": terms.policy,
        "grace_minutes": terms.grace_minutes,
        "no_show_percent": terms.no_show_percent,
        "requests": None
        if asking is None
        else [asking.from_party, asking.answer_hours, asking.holds_capacity, asking.payment_hours],
    }


def terms_of(document: Mapping[str, Any], currency: str) -> Terms:
    """Terms from their document; an offering from before there were terms has an empty one."""
    if not document:
        return Terms()
    price, asking = document["price"], document["requests"]
    return Terms(
        price_per_person=None if price is None else Money(price, currency),
        policy=document["policy"],
        requests=RequestRule(*asking) if asking else None,
        grace_minutes=document["grace_minutes"],
        no_show_percent=document.get("no_show_percent"),
    )
