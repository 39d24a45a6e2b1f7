"""Logs, traces and metrics. What leaves the process carries no personal data and no secret."""

from servicekit.telemetry.logs import bind, logger
from servicekit.telemetry.traces import header, server_span, setup, span

__all__ = ["bind", "header", "logger", "server_span", "setup", "span"]
