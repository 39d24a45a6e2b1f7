"""`python -m gateway follow`: hears what all services publish, and does what the edge must do about it.

It has no database: how far it came stands in Redis, and each reaction may be given an event again.
"""

import sys
from contextlib import aclosing

from redis.asyncio import Redis

from gateway.cache.tags import Forgetting
from gateway.following.loop import Follower, Reaction
from gateway.live.publishing import Telling
from gateway.live.store import Store
from gateway.settings import Settings
from servicekit import telemetry
from servicekit.process import running

_REDIS_SECONDS = 2.0

_log = telemetry.logger(__name__)


def reactions(redis: "Redis", settings: Settings) -> tuple[Reaction, ...]:
    """Everything that is done about events, in this order."""
    return (Forgetting(redis), Telling(Store(redis, settings.live)))


async def run(settings: Settings) -> None:
    """Follows until SIGTERM or SIGINT; what is in hand is finished first.

    Raises:
        CannotListen: the address of the admin port is taken.
    """
    if settings.kafka is None or settings.redis.url is None:
        sys.exit("settings are not valid: the role follow needs kafka.bootstrap_servers and redis.url")
    redis: Redis = Redis.from_url(
        settings.redis.url.get_secret_value(),
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
    )
    async with running("gateway", settings.admin, settings.telemetry) as process, aclosing(redis):
        process.ready.set()
        _log.info("following")
        await Follower(settings.kafka, redis, reactions(redis, settings)).run(process.stop)
        process.ready.clear()
    _log.info("stopped")


__all__ = ["Follower", "Reaction", "reactions", "run"]
