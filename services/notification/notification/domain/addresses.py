"""Which network addresses webhooks may be posted to: the rule that all services share."""

from servicekit.addresses import Network, may_connect

__all__ = ["Network", "may_connect"]
