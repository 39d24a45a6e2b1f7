"""Which services follow which topics, so that the relay knows when everybody has seen an event."""

from types import MappingProxyType

SUBSCRIBERS = MappingProxyType(
    {
        "comptoir.auth.v1": ("booking", "gateway", "notification", "support"),
        "comptoir.booking.v1": (
            "analytics",
            "auth",
            "booking",
            "gateway",
            "notification",
            "payment",
            "support",
        ),
        "comptoir.payment.v1": ("analytics", "auth", "booking", "gateway", "notification"),
        "comptoir.support.v1": ("auth", "gateway", "notification"),
        "comptoir.notification.v1": ("auth", "gateway"),
        "comptoir.analytics.v1": ("auth", "gateway"),
    }
)

DEAD_LETTERS = ".dlq"


def published_by(service: str) -> tuple[str, ...]:
    """The topics that a service's relay writes: its own, and dead letters of those it follows."""
    own = tuple(topic for topic in SUBSCRIBERS if topic.split(".")[1] == service)
    return own + tuple(topic + DEAD_LETTERS for topic in followed_by(service))


def followed_by(service: str) -> tuple[str, ...]:
    """The topics that a service consumes."""
    return tuple(topic for topic, services in SUBSCRIBERS.items() if service in services)
