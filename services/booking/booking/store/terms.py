"""An offering's terms and a guest's preferences as the JSON of their columns. Knows no SQL."""

from collections.abc import Mapping
from typing import Any

from booking.domain.bookings import Preferences, Wants
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


def preferences_document(preferences: Preferences) -> dict[str, Any]:
    """What a guest told, without what they did not."""
    told: dict[str, Any] = {}
    if preferences.dietary != Wants():
        told["dietary"] = [list(preferences.dietary.words), preferences.dietary.note]
    if preferences.accessibility != Wants():
        told["accessibility"] = [list(preferences.accessibility.words), preferences.accessibility.note]
    if preferences.occasion:
        told["occasion"] = preferences.occasion
    return told


def preferences_of(document: Mapping[str, Any], *, marketing_consent: bool) -> Preferences:
    """What a guest told, from its document."""
    return Preferences(
        dietary=_wants(document.get("dietary")),
        accessibility=_wants(document.get("accessibility")),
        occasion=document.get("occasion", ""),
        marketing_consent=marketing_consent,
    )


def _wants(document: list[Any] | None) -> Wants:
    return Wants(tuple(document[0]), document[1]) if document else Wants()
