"""What log lines lose: persons and secrets. What they keep: where it happened, and what of."""

import io
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import IntegrityError

from servicekit import telemetry
from servicekit.database import Database
from servicekit.telemetry import logs
from servicekit.telemetry.scrubbing import mask, scrub, show_exception

EMAIL = "zephyrine.quill@guest.example"
NAME = "Zephyrine Quillfeather"
TOKEN = "kP3-vN8_" * 6
JWT = "eyJ" + "a1" * 10 + "." + "b2" * 10 + ".c3-_"
PERSONAL = (EMAIL, NAME, TOKEN, JWT)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the process would log, from `setup` on."""
    root, hook, stream = logging.getLogger(), sys.excepthook, io.StringIO()
    handlers, level = root.handlers, root.level
    logs.setup("test", "INFO")
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        (f"mail to {EMAIL}.", "mail to …"),
        (f"<{EMAIL}>", "<…>"),
        ("call +33612345678 now", "call … now"),
        (f"Bearer {JWT}", "Bearer …"),
        (f"/v1/manage/{TOKEN}/cancel", "/v1/manage/…/cancel"),
        ("whsec_c2VjcmV0 pi_1_secret_2 sk_live_3 rk_test_4", "… … … …"),
        (f"postgresql://booking:{NAME[:9]}@db", "postgresql://…@db"),
        (f"redis://:{NAME[:9]}@cache:6379/0", "redis://…@cache:6379/0"),
    ],
)
def test_addresses_numbers_and_secrets_are_masked(told: str, left: str) -> None:
    assert mask(told) == left


@pytest.mark.parametrize(
    "kept",
    [
        "bkg_01h455vb4pex5vsknk084sn02q",
        "01a1fd43-a6da-71b1-869e-8acf7c89031e",
        "2027-10-31T02:30:00+02:00",
        "comptoir.booking.v1.BookingConfirmed",
        "0a" * 16,
        "127.0.0.1:5432",
        "/comptoir.booking.v1.BookingService/CreateBooking",
    ],
)
def test_ids_times_and_names_of_things_stay(kept: str) -> None:
    assert mask(kept) == kept
    assert scrub(kept) == kept


def test_what_an_exception_quotes_is_gone() -> None:
    assert scrub(f'invalid input for "{NAME}\'s" party') == 'invalid input for "…" party'
    assert scrub(f"violates it: Key (name)=({NAME} (VIP)) exists") == "violates it: Key (name)=(…) exists"
    assert scrub(f"no\nDETAIL:  Failing row contains (1,\n{NAME}).\nHINT: none") == "no"


@pytest.mark.timeout(5)  # without bounds in the patterns it is minutes
def test_a_long_text_takes_no_long_time() -> None:
    assert scrub(f"{'x' * 200_000} {'y.' * 100_000} {EMAIL}").endswith("y. …")


def test_a_traceback_keeps_frames_types_and_causes() -> None:
    def inner() -> None:
        raise KeyError(EMAIL)

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            error.add_note(f"while {EMAIL} booked")
            raise ExceptionGroup("all", [ValueError(f"bad '{NAME}'"), OSError("away")]) from error

    with pytest.raises(ExceptionGroup) as raised:
        outer()
    shown = show_exception(raised.value)
    assert not [leak for leak in PERSONAL if leak in shown]
    kept = ["in inner", "in outer", "KeyError: '…'", "which led to:", "ValueError: bad '…'", "OSError: away"]
    assert [word for word in kept if word not in shown] == []


async def test_a_row_that_the_database_refused_is_not_in_the_log(db: Database, written: io.StringIO) -> None:
    with pytest.raises(IntegrityError) as refused:
        await _be_refused(db)
    assert EMAIL in "".join(traceback.format_exception(refused.value))  # else this proves nothing
    telemetry.logger("test").error("event_died", exc_info=refused.value)
    (line,) = lines(written)
    assert EMAIL not in json.dumps(line)
    assert "sqlstate=23505 constraint_name=people_once" in line["exception"]
    assert "in _be_refused" in line["exception"]


async def _be_refused(db: Database) -> None:
    """As PostgreSQL tells it where no row-level security keeps the values of rows out of errors."""
    refusal = "RAISE unique_violation USING CONSTRAINT = 'people_once', DETAIL = 'Key (email)=(%s) exists.'"
    async with db.begin_platform(reason="test") as tx:
        await tx.execute(sa.text(f"DO $$ BEGIN {refusal % EMAIL}; END $$"))


def test_libraries_and_contexts_are_scrubbed_too(written: io.StringIO) -> None:
    refused = asyncpg.UniqueViolationError(f"duplicate\nDETAIL:  Key (email)=({EMAIL}) exists.")
    logging.getLogger("asyncio").error("Task exception was never retrieved: %r", refused)
    logging.getLogger("uvicorn.error").warning("GET /v1/manage/%s by %s", TOKEN, EMAIL)
    telemetry.logger("test").warning("called", by=EMAIL, token=JWT, booking="bkg_1")
    found = lines(written)
    assert not [leak for leak in PERSONAL if leak in written.getvalue()]
    assert [line["event"] for line in found] == [
        "Task exception was never retrieved: UniqueViolationError('duplicate\\n",
        "GET /v1/manage/… by …",
        "called",
    ]
    assert found[2]["booking"] == "bkg_1"


def test_the_last_words_of_a_process_are_scrubbed_too(written: io.StringIO) -> None:
    error = ValueError(f"bad address: {EMAIL}")
    sys.excepthook(type(error), error, None)
    (line,) = lines(written)
    assert (line["event"], line["level"]) == ("process_died", "critical")
    assert line["exception"].endswith("ValueError: bad address: …")
