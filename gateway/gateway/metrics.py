"""Rate, errors and duration of HTTP requests. The route label is a template, never a path as sent."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("comptoir_http_requests_total", "HTTP requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "comptoir_http_request_duration_seconds",
    "Time to answer an HTTP request.",
    ["method", "route"],
    buckets=_SECONDS,
)
CONNECTIONS = Gauge("comptoir_http_connections", "Open connections of this process, streams included.")
CUT_OFF = Counter(
    "comptoir_http_connections_cut_off_total", "Connections ended without a word, by why.", ["reason"]
)

BACKGROUND_FAILURES = Counter(
    "comptoir_background_failures_total",
    "Times that work beside the requests was ended by a defect, and begun again.",
    ["work"],
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Counts one request."""
    requests, durations = _series(method if method in METHODS else OTHER_METHOD, route, status)
    requests.inc()
    durations.observe(seconds)


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), SECONDS.labels(method, route)
