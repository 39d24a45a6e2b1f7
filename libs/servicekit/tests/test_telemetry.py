"""Trace context: continued when it is well formed, begun otherwise, and cheap when nobody keeps it."""

import pytest

from servicekit import telemetry
from servicekit.telemetry import traces

KEPT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DROPPED = KEPT[:-2] + "00"


def test_a_dropped_trace_is_forwarded_as_it_came() -> None:
    with telemetry.server_span("request", DROPPED):
        assert telemetry.header() == DROPPED
        with telemetry.span("inner"):
            assert telemetry.header() == DROPPED
    assert telemetry.header() is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        KEPT.upper(),
        KEPT + "\r\nx: y",
        f"00-{'0' * 32}-{'0' * 16}-00",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_a_malformed_header_begins_a_new_trace(header: str | None) -> None:
    with telemetry.server_span("request", header):
        made = telemetry.header()
    assert made
    assert made != header
    assert len(made.split("-")[1]) == 32
    assert made.split("-")[1] not in (KEPT.split("-")[1], "0" * 32)


def test_a_kept_trace_without_exporter_keeps_its_header() -> None:
    traces.shutdown()
    with telemetry.server_span("request", KEPT):
        assert telemetry.header() == KEPT


def test_a_kept_trace_gets_spans_of_its_own() -> None:
    traces.setup("test", "http://127.0.0.1:9/v1/traces", 0.0)
    try:
        with telemetry.server_span("request", KEPT):
            outer = telemetry.header() or ""
            with telemetry.span("inner"):
                inner = telemetry.header() or ""
        assert outer.split("-")[1] == inner.split("-")[1] == KEPT.split("-")[1]
        assert len({KEPT.split("-")[2], outer.split("-")[2], inner.split("-")[2]}) == 3
    finally:
        traces.shutdown()


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, False), (1.0, True)])
def test_the_flag_of_a_stranger_counts_within_the_ratio_and_the_trace_goes_on(
    ratio: float, *, kept: bool
) -> None:
    traces.setup("test", "http://127.0.0.1:9/v1/traces", ratio)
    try:
        with telemetry.server_span("request", KEPT, from_outside=True):
            outer = telemetry.header() or ""
            with telemetry.server_span("next hop", outer):
                inner = telemetry.header() or ""
        assert {each.split("-")[1] for each in (outer, inner)} == {KEPT.split("-")[1]}
        assert (outer.split("-")[2] != KEPT.split("-")[2]) is kept
        assert (inner != outer) is kept
        assert {each.endswith("-01") for each in (outer, inner)} == {kept}
        with telemetry.server_span("request", DROPPED, from_outside=True):
            assert telemetry.header() == DROPPED
    finally:
        traces.shutdown()
