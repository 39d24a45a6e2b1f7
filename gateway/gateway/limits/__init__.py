"""How many requests may come: quotas by place, account, key and organization. Knows no service."""

from gateway.limits.headers import Standing
from gateway.limits.limiter import Limiter
from gateway.limits.refusal import RateLimited
from gateway.limits.settings import RateSettings

__all__ = ["Limiter", "RateLimited", "RateSettings", "Standing"]
