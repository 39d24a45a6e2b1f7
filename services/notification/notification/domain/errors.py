"""What notification refuses."""

from servicekit.errors import AppError, Kind


class BookingNotFound(AppError):
    """No booking has this id, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "BOOKING_NOT_FOUND"
    detail = "There is no such booking."


class WebhookEndpointNotFound(AppError):
    """The webhook endpoint does not exist, or belongs to somebody else."""

    kind = Kind.NOT_FOUND
    reason = "WEBHOOK_ENDPOINT_NOT_FOUND"
    detail = "There is no such webhook endpoint."


class WebhookUrlRefused(AppError):
    """The URL is not one that webhooks are delivered to; see errors for why."""

    kind = Kind.UNPROCESSABLE
    reason = "WEBHOOK_URL_REFUSED"
    detail = "Webhooks are not delivered to this URL; see errors."


class TooManyWebhookEndpoints(AppError):
    """The organization has as many webhook endpoints as it may have."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_WEBHOOK_ENDPOINTS"
    detail = "Remove a webhook endpoint before you register another."


class UnreadableEvent(AppError):
    """An event or an answer of another service holds an id that is none: a defect, never a caller's fault."""

    reason = "UNREADABLE_EVENT"
