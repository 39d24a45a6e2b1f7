"""The embedded engines as real processes on loopback: `start`, `stop`, `kill`, `restart`, `url`, `port`."""

from devstack.engines.broker import BrokerEngine
from devstack.engines.engine import Engine, EngineFailed
from devstack.engines.postgres import PostgresEngine
from devstack.engines.sink import SinkEngine
from devstack.engines.stripe import StripeEngine
from devstack.engines.valkey import ValkeyEngine

__all__ = [
    "BrokerEngine",
    "Engine",
    "EngineFailed",
    "PostgresEngine",
    "SinkEngine",
    "StripeEngine",
    "ValkeyEngine",
]
