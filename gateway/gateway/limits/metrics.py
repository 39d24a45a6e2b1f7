"""What the limits count about themselves. No label names anybody."""

from prometheus_client import Counter, Gauge

REFUSED = Counter("comptoir_rate_limited_total", "Requests over a quota, by its policy.", ["policy"])
ALONE = Gauge(
    "comptoir_rate_limits_alone", "1 while Redis is away and this process counts requests for itself."
)
