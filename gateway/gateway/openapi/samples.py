"""Texts and numbers for examples, by the names of fields. Nobody's data: names and domains of the demo."""

from types import MappingProxyType

_PREFIXES = MappingProxyType(
    {
        "access": "acc",
        "actor": "usr",
        "api_key": "key",
        "area": "are",
        "audit_entry": "aud",
        "block": "blk",
        "booking": "bkg",
        "closure": "clo",
        "combination": "cmb",
        "connection": "con",
        "date_exception": "dex",
        "delivery": "msg",
        "device": "rdv",
        "domain": "dom",
        "endpoint": "whe",
        "entry": "wle",
        "exception": "dex",
        "export": "prq",
        "identity": "idn",
        "invitation": "inv",
        "key": "key",
        "message": "tms",
        "notification": "ntf",
        "offering": "off",
        "operator": "opr",
        "operator_access": "acc",
        "operator_session": "ops",
        "organization": "org",
        "organization_summary": "org",
        "pacing_rule": "pac",
        "passkey": "pky",
        "payment": "pay",
        "privacy_request": "prq",
        "remembered_device": "rdv",
        "request": "prq",
        "resource": "res",
        "role": "rol",
        "rule": "pac",
        "series": "ser",
        "session": "ses",
        "shift": "shi",
        "ticket": "tkt",
        "ticket_message": "tms",
        "user": "usr",
        "venue": "ven",
        "origin": "ori",
        "web_domain": "dom",
        "waitlist_entry": "wle",
        "webhook_endpoint": "whe",
    }
)
_DIGITS = "01kas3x8e9fv6r2m7c5tqwbn4h"
_ANOTHER = "01kas3x8e9fv6r2m7c5tqwbn4j"

_START, _END, _BEFORE, _LATER = (
    "2026-12-04T19:30:00+01:00",
    "2026-12-04T21:00:00+01:00",
    "2026-11-22T09:15:00Z",
    "2026-12-22T09:15:00Z",
)
TEXTS: MappingProxyType[str, str] = MappingProxyType(
    {
        "access_token": "eyJhbGciOiJFZDI1NTE5In0.e30.c2lnbmF0dXJl",
        "action": "booking.created",
        "address": "12 rue des Martyrs, 75009 Paris",
        "as_of": _BEFORE,
        "code": "123456",
        "closes": "23:30",
        "csrf_token": "tY3vJ0mS8pQe5aXw2bLr7cKz4dNf1gHu6iVo9sTx-_E",
        "currency": "EUR",
        "date": "2026-12-04",
        "day": "2026-12-04",
        "display_name": "Paulette",
        "domain": "example.org",
        "earliest": "2026-12-04T18:00:00+01:00",
        "email": "claire@example.org",
        "end": _END,
        "ends": "2026-12-05T00:00",
        "begins": "2026-12-04T00:00",
        "expires_at": _LATER,
        "ends_at": _LATER,
        "first_date": "2026-12-04",
        "kind": "table",
        "language": "fr",
        "last_date": "2026-12-06",
        "last_start": "22:00",
        "latest": "2026-12-04T21:00:00+01:00",
        "local_start": "2026-12-04T19:30",
        "local_time": "2026-12-04T19:30",
        "name": "Chez Paulette",
        "next_page_token": "",
        "notes": "A table by the window, please.",
        "note": "Called on Friday.",
        "occasion": "birthday",
        "opens": "19:00",
        "organization_name": "Chez Paulette",
        "phone": "+33612345678",
        "plan": "free",
        "pinned_version": "2026-11-01",
        "prefix": "cpt_live_3fK9sQ1xZa_",
        "rule": "FREQ=WEEKLY;COUNT=6",
        "service": "booking",
        "service_date": "2026-12-04",
        "slug": "chez-paulette",
        "start": _START,
        "origin": "https://app.example",
        "background": "#ffffff",
        "subject": "A birthday",
        "text": "May we bring a cake?",
        "time": "19:30",
        "time_zone": "Europe/Paris",
        "token_type": "Bearer",
        "topics": "feed",
        "url": "https://partner.example/hooks/comptoir",
        "uri": "https://partner.example/hooks/comptoir",
        "version": "2026-11-01",
    }
)
"""What fields of these names hold, where their rules allow it."""

OTHERS = (
    _BEFORE,
    _START,
    "2026-12-04",
    "19:30",
    "2026-12-04T19:30",
    "123456",
    "EUR",
    "owner",
    "admin",
    "bookings.read",
    "claire@example.org",
    "https://partner.example/hooks/comptoir",
    "example.org",
    "+33612345678",
    "192.0.2.0/24",
    "FREQ=WEEKLY;COUNT=6",
    "2026-11-01",
    "Europe/Paris",
    "en",
    "https://app.example",
    "#1f2937",
    "book.example.org",
    "tY3vJ0mS8pQe5aXw2bLr7cKz4dNf1gHu6iVo9sTx-_E",
)
"""What fits the rules of other fields; the first one that does is taken."""

NUMBERS: MappingProxyType[str, int] = MappingProxyType(
    {
        "amount": 2500,
        "covers": 4,
        "daily_quota": 10_000,
        "free_cancellation_hours": 24,
        "from_party": 6,
        "grace_seconds": 3600,
        "max_advance_days": 90,
        "max_party": 4,
        "min_notice_minutes": 60,
        "min_party": 2,
        "minutes": 90,
        "page_size": 50,
        "party_size": 4,
        "expires_in": 600,
        "slot_minutes": 15,
        "response_status": 200,
        "turn_minutes": 90,
        "version": 1,
    }
)
WORDS = ("confirmed", "active", "open", "table", "delivered", "succeeded", "ready", "owner")
"""Words of enums that tell more than the first one of theirs."""

TOLD = frozenset({"email", "language", "notes", "start", "text", "organization_name", "display_name"})
"""Fields that examples of requests have even where they may be left out."""


def typed_id(name: str, holder: str, *, another: bool = False) -> str | None:
    """An id for a field called "id", "venue_id" or "venue_ids"; None for one that holds no id of ours.

    `holder` is the schema that the field is in.
    """
    stem = _words(holder) if name == "id" else name.removesuffix("s").removesuffix("_id")
    if name != "id" and stem == name.removesuffix("s"):
        return None
    for known in (stem, *(stem.split("_", part)[-1] for part in range(1, stem.count("_") + 1))):
        if known in _PREFIXES:
            return f"{_PREFIXES[known]}_{_ANOTHER if another else _DIGITS}"
    return None


def _words(name: str) -> str:
    """The words of a schema's name: "webhook_endpoint" for "WebhookEndpoint"."""
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).strip("_")
