"""`python -m tools.bench.converter`: the gateway's converter against json_format, both ways."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf import json_format

from comptoir.booking.v1 import booking_pb2
from gateway.transcoding import documents, reader, writer

TARGET = 5.0
"""How many times faster an availability answer must be written than by json_format."""

_SLOTS = 100
_ROUNDS = 25
_MORNING = 1_824_966_000


def availability(morning: int = _MORNING) -> booking_pb2.SearchAvailabilityResponse:
    """A service day as a guest sees it: most starts free, some with a deposit, some refused."""
    answer = booking_pb2.SearchAvailabilityResponse(date="2027-10-31", time_zone="Europe/Paris")
    for index in range(_SLOTS):
        slot = answer.slots.add(offering_id="off_01jbd3w5n7eqk8v2m4y6t9xz0c", bookable=index % 4 != 0)
        slot.start.epoch_seconds, slot.start.offset_minutes = morning + 300 * index, 60
        slot.end.epoch_seconds, slot.end.offset_minutes = morning + 300 * index + 7200, 60
        if index % 4 == 0:
            slot.reason = booking_pb2.REFUSAL_REASON_FULLY_BOOKED
        elif index % 2 == 0:
            slot.deposit.amount, slot.deposit.currency = 1000, "EUR"
    return answer


def booking() -> booking_pb2.CreateBookingRequest:
    """A request to book."""
    request = booking_pb2.CreateBookingRequest(
        venue_id="chez-paulette", offering_id="off_01jbd3w5n7eqk8v2m4y6t9xz0c", party_size=4, notes="Window"
    )
    request.start.epoch_seconds, request.start.offset_minutes = _MORNING, 60
    request.guest.name, request.guest.email, request.guest.language = "Zoé", "zoe@example.com", "fr"
    return request


def measure() -> dict[str, tuple[float, float]]:
    """Microseconds of json_format and of the converter: medians of interleaved rounds."""
    answer, request = availability(), booking()
    write, read_request = writer(answer.DESCRIPTOR), reader(request.DESCRIPTOR)
    days = iter([availability(_MORNING + 7 * day) for day in range(1, _ROUNDS * 5 + 1)])
    slow_body = json_format.MessageToJson(request, preserving_proto_field_name=True)
    fast_body = orjson.dumps(writer(request.DESCRIPTOR)(request))

    def read() -> Any:
        made = booking_pb2.CreateBookingRequest()
        read_request(made, documents.load(fast_body), "", [])
        return made

    def read_slowly() -> Any:
        return json_format.Parse(slow_body, booking_pb2.CreateBookingRequest())

    def write_slowly() -> str:
        return json_format.MessageToJson(answer, preserving_proto_field_name=True)

    def write_unseen_times() -> bytes:
        return orjson.dumps(write(next(days)))

    return {
        f"write {_SLOTS} slots": _compare(write_slowly, lambda: orjson.dumps(write(answer)), calls=5),
        "the same, new times": _compare(write_slowly, write_unseen_times, calls=5),
        "read a booking": _compare(read_slowly, read, calls=200),
    }


def _compare(slow: Callable[[], Any], fast: Callable[[], Any], *, calls: int) -> tuple[float, float]:
    slow_times, fast_times = [], []
    for _ in range(_ROUNDS):
        slow_times.append(_microseconds(slow, calls))
        fast_times.append(_microseconds(fast, calls))
    return statistics.median(slow_times), statistics.median(fast_times)


def _microseconds(function: Callable[[], Any], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - started) / calls * 1e6


def main() -> int:
    """Prints the ratios; 1 when writing slots is less than TARGET times as fast."""
    print(f"{'CPU of one conversion':<24}{'json_format':>14}{'converter':>14}{'ratio':>9}")
    measured = measure()
    for what, (slow, fast) in measured.items():
        print(f"{what:<24}{slow:>11.0f} µs{fast:>11.0f} µs{slow / fast:>9.1f}")
    slow, fast = measured[f"write {_SLOTS} slots"]
    return 0 if slow / fast >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
