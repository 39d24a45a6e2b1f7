"""What partners are posted: one webhook for each event of the contract that says a type for them."""

from typing import Any

from gateway.openapi.comments import comment, summary
from gateway.openapi.schemas import Schema
from servicekit import contract
from servicekit.contract import EventType

_ID: Schema = {"type": "string"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_DAY: Schema = {"type": "string", "format": "date"}
_COUNT: Schema = {"type": "integer"}
_MONEY: Schema = {"$ref": "#/components/schemas/Money"}
_ENTRY: dict[str, Schema] = {
    "entry_id": _ID,
    "venue_id": _ID,
    "offering_id": _ID,
    "status": {"$ref": "#/components/schemas/WaitlistStatus"},
    "party_size": _COUNT,
    "first_date": _DAY,
    "last_date": _DAY,
    "version": _COUNT,
}
_BOOKING: dict[str, Schema] = {
    "booking_id": _ID,
    "venue_id": _ID,
    "status": {"$ref": "#/components/schemas/BookingStatus"},
    "party_size": _COUNT,
    "start": _MOMENT,
    "end": _MOMENT,
    "service_date": _DAY,
    "version": _COUNT,
}
_DATA: dict[str, dict[str, Schema]] = {
    "payment.succeeded": {"payment_id": _ID, "booking_id": _ID, "amount": _MONEY},
    "payment.refunded": {"payment_id": _ID, "booking_id": _ID, "refunded": _MONEY},
    "ticket.opened": {"ticket_id": _ID, "booking_id": _ID},
    "ticket.answered": {"ticket_id": _ID, "booking_id": _ID, "message_id": _ID},
    "waitlist.joined": _ENTRY,
    "waitlist.closed": _ENTRY,
    "waitlist.offered": _ENTRY | {"booking_id": _ID, "start": _MOMENT, "expires_at": _MOMENT},
}
"""What notification tells (notification/events.py); of all others it tells the booking."""

HEADERS = {
    "webhook-id": "The same at each try of one event: who has seen it has it already.",
    "webhook-timestamp": "When this try began, in seconds of Unix time; refuse what is older than 5 minutes.",
    "webhook-signature": "One or more of `v1,` and the base64 of the HMAC-SHA256 of `{id}.{timestamp}.{body}`"
    " under the endpoint's secret (Standard Webhooks 1.0.0).",
}


def data(kind: str) -> Schema:
    """The schema of what an event of a type says."""
    fields = _DATA.get(kind, _BOOKING) | {"organization_id": _ID}
    return {"type": "object", "properties": fields, "required": [*fields]}


def webhooks() -> dict[str, EventType]:
    """The events that partners are told of, by type."""
    return {
        each.rules.webhook: each
        for each in sorted(contract.events().values(), key=lambda each: each.rules.webhook)
        if each.rules.webhook
    }


def described(kind: str, event: EventType, example: dict[str, Any]) -> dict[str, Any]:
    """The path item of one webhook."""
    said = comment(event.name)
    return {
        "post": {
            "operationId": f"on{event.descriptor.name}",
            "tags": ["Webhooks"],
            "summary": summary(event.name),
            "description": f"{said} Order is not promised: drop a `version` that is not newer.",
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "required": True, "description": text, "schema": _ID}
                for name, text in HEADERS.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": body(kind), "example": example}},
            },
            "responses": {
                "2XX": {"description": "It is delivered."},
                "410": {"description": "The endpoint is switched off."},
                "default": {"description": "It is posted again, for three days and a half."},
            },
        }
    }


def body(kind: str) -> Schema:
    """The schema of what is posted."""
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": kind},
            "timestamp": _MOMENT | {"description": "When it happened."},
            "data": data(kind),
        },
        "required": ["type", "timestamp", "data"],
    }
