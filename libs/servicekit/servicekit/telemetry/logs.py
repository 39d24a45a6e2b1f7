"""Structured JSON logs with service, trace and request ids; never with a person's data or a secret."""

import logging
import sys
from types import TracebackType

import orjson
import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from servicekit.telemetry import scrubbing, traces


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    header = traces.header()
    if header:
        event["trace_id"] = header.split("-")[1]
    return event


def _scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Our words lose what looks personal or secret; those of libraries and exceptions all they quote."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    clean = scrubbing.scrub if "_record" in event else scrubbing.mask
    event.update({name: clean(value) for name, value in event.items() if isinstance(value, str)})
    if isinstance(error, BaseException):
        event["exception"] = scrubbing.show_exception(error)
    return event


def _tell_why_it_ends(_kind: type[BaseException], error: BaseException, _at: TracebackType | None) -> None:
    logging.getLogger(__name__).critical("process_died", exc_info=error)


def _dump(event: EventDict, **_options: object) -> str:
    return orjson.dumps(event, default=str).decode()


def setup(service: str, level: str) -> None:
    """Sends structlog and the standard library's logging to stdout, one JSON object a line."""
    shared: list[Processor] = [
        merge_contextvars,
        _add_trace,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _scrub,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_dump),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    sys.excepthook = _tell_why_it_ends
    for noisy in ("aiokafka", "alembic.runtime.plugins", "httpx", "stripe", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    bind_contextvars(service=service)


def bind(**values: str) -> None:
    """Adds fields to every later log line of the running task."""
    bind_contextvars(**values)


def logger(name: str) -> FilteringBoundLogger:
    """A logger; events are short lower-case words, details are fields."""
    made: FilteringBoundLogger = structlog.get_logger(name)
    return made
