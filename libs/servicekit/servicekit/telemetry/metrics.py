"""Every metric of the platform in one list. No label names a tenant: cardinality is bounded."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

RPC_SERVED = Counter("comptoir_rpc_served_total", "RPCs answered.", ["method", "code"])
RPC_SERVED_SECONDS = Histogram(
    "comptoir_rpc_served_seconds", "Time to answer an RPC.", ["method"], buckets=_SECONDS
)
RPC_CALLED = Counter("comptoir_rpc_called_total", "RPCs called on peers.", ["method", "code"])
RPC_CALLED_SECONDS = Histogram(
    "comptoir_rpc_called_seconds", "Time of a call to a peer.", ["method"], buckets=_SECONDS
)

EVENTS_HANDLED = Counter(
    "comptoir_events_handled_total", "Events by how handling ended.", ["type", "outcome"]
)
EVENTS_SECONDS = Histogram(
    "comptoir_events_handled_seconds", "Time to handle an event.", ["type"], buckets=_SECONDS
)
EVENTS_LAG_SECONDS = Gauge("comptoir_events_lag_seconds", "Age of the newest handled event.", ["topic"])
EVENTS_PUBLISHED = Counter("comptoir_events_published_total", "Events that the broker took.", ["topic"])
EVENTS_REPUBLISHED = Counter(
    "comptoir_events_republished_total", "Events sent again to a broker that lost them.", ["topic"]
)
OUTBOX_AGE_SECONDS = Gauge(
    "comptoir_outbox_age_seconds", "Age of the oldest event that waits for the broker."
)

TIMERS_HANDLED = Counter(
    "comptoir_timers_handled_total", "Timers by how handling ended.", ["kind", "outcome"]
)
TIMERS_LATE_SECONDS = Gauge("comptoir_timers_late_seconds", "How late the last timer was.", ["kind"])
ROWS_PURGED = Counter(
    "comptoir_rows_purged_total", "Rows deleted or made anonymous because their time was over.", ["kind"]
)

PLATFORM_TRANSACTIONS = Counter(
    "comptoir_platform_transactions_total", "Transactions that cross tenants, by reason.", ["reason"]
)
DATABASE_CONNECTIONS = Gauge("comptoir_database_connections", "Pooled connections in use.")

CACHE_READS = Counter("comptoir_cache_reads_total", "Cache reads by where they ended.", ["outcome"])
