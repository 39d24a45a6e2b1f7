"""The converters against protobuf's own JSON mapping, by round trip, and on everything they must refuse."""

import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.booking.v1 import booking_pb2, venue_pb2
from comptoir.common.v1 import values_pb2
from comptoir.notification.v1 import notification_pb2
from comptoir.payment.v1 import payment_pb2
from gateway.transcoding import documents, parameter, reader, writer
from gateway.transcoding.values import INTEGERS
from gateway.transcoding.words import words
from servicekit import contract
from servicekit.errors import Violation

OFFSET_DATE_TIME = "comptoir.common.v1.OffsetDateTime"
MASK = "google.protobuf.FieldMask"
TIMESTAMP = "google.protobuf.Timestamp"
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=20)


def _all_messages() -> list[Descriptor]:
    found = {}
    for rpc in contract.rpcs().values():
        for descriptor in (rpc.method.input_type, rpc.method.output_type):
            found[descriptor.full_name] = descriptor
    del found["google.api.HttpBody"]  # never shown as JSON: what it holds is the answer
    return list(found.values())


def messages(descriptor: Descriptor) -> st.SearchStrategy[Message]:
    """Any message that the contract allows to exist."""
    make = message_factory.GetMessageClass(descriptor)
    if descriptor.full_name == OFFSET_DATE_TIME:
        first, last = datetime(1971, 1, 2, tzinfo=UTC), datetime(8999, 12, 30, tzinfo=UTC)
        seconds = st.integers(int(first.timestamp()), int(last.timestamp()))
        return st.builds(make, epoch_seconds=seconds, offset_minutes=st.integers(-1079, 1079))
    if descriptor.full_name == TIMESTAMP:
        return st.builds(
            make, seconds=st.integers(-62135596800, 253402300799), nanos=st.integers(0, 999_999_999)
        )
    return st.fixed_dictionaries(
        {}, optional={field.name: _values(field) for field in descriptor.fields if not _is_mask(field)}
    ).map(lambda values: make(**values))


def _is_mask(field: FieldDescriptor) -> bool:
    """Whether the gateway fills it from what a PATCH says: it is never read, nor shown."""
    return field.message_type is not None and field.message_type.full_name == MASK


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        one: st.SearchStrategy[Any] = messages(field.message_type)
    elif field.enum_type is not None:
        one = st.sampled_from(list(words(field.enum_type)))
    elif field.type in INTEGERS:
        one = st.integers(*INTEGERS[field.type])
    else:
        one = {
            FieldDescriptor.TYPE_STRING: TEXT,
            FieldDescriptor.TYPE_BOOL: st.booleans(),
            FieldDescriptor.TYPE_BYTES: st.binary(max_size=9),
        }[field.type]
    return st.lists(one, max_size=3) if field.is_repeated else one


def as_protobuf_says(value: Any, descriptor: Descriptor) -> Any:
    """What the gateway shows, worked out from json_format's dictionary: the slow way, for comparison."""
    if descriptor.full_name == TIMESTAMP:
        return value
    if descriptor.full_name == OFFSET_DATE_TIME:
        return (int(value["epoch_seconds"]), value["offset_minutes"])
    shown = {}
    for field in descriptor.fields:
        if field.name not in value:
            continue
        items = value[field.name] if field.is_repeated else [value[field.name]]
        if field.message_type is not None:
            items = [as_protobuf_says(item, field.message_type) for item in items]
        elif field.enum_type is not None:
            numbers = [field.enum_type.values_by_name[item].number for item in items]
            items = [words(field.enum_type)[number] for number in numbers if number]
            if not items and not field.is_repeated:
                continue
        elif INTEGERS.get(field.type, (0, 0))[1] > 2**32:
            items = [int(item) for item in items]
        shown[field.name] = items if field.is_repeated else items[0]
    return shown


def with_instants(value: Any, descriptor: Descriptor) -> Any:
    """The gateway's answer with OffsetDateTime read back by datetime, to compare with its numbers."""
    if descriptor.full_name == OFFSET_DATE_TIME:
        read = datetime.fromisoformat(value)
        offset = read.utcoffset()
        assert offset is not None
        return (int(read.timestamp()), int(offset.total_seconds() // 60))
    if not isinstance(value, dict):
        return value
    fields = descriptor.fields_by_name
    shown = {}
    for name, item in value.items():
        inner = fields[name].message_type
        if inner is not None and isinstance(item, list):
            shown[name] = [with_instants(each, inner) for each in item]
        else:
            shown[name] = with_instants(item, inner) if inner is not None else item
    return shown


@pytest.mark.parametrize("descriptor", _all_messages(), ids=lambda descriptor: descriptor.name)
@settings(
    max_examples=8, deadline=None
)  # of each of several hundred messages that share their kinds of fields
@given(data=st.data())
def test_what_is_written_means_what_protobuf_says_and_is_read_back(
    descriptor: Descriptor, data: st.DataObject
) -> None:
    message = data.draw(messages(descriptor))
    written = orjson.dumps(writer(descriptor)(message))
    slow = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert with_instants(orjson.loads(written), descriptor) == as_protobuf_says(slow, descriptor)
    read, violations = type(message)(), list[Violation]()
    reader(descriptor)(read, documents.load(written), "", violations)
    assert violations == []
    assert read == message


def refusals(make: type[Message], value: Any) -> list[Violation]:
    violations: list[Violation] = []
    reader(make.DESCRIPTOR)(make(), value, "", violations)
    return violations


OFFERING = venue_pb2.CreateOfferingRequest
ENDPOINT = notification_pb2.CreateWebhookEndpointRequest


@pytest.mark.parametrize(
    ("make", "value", "pointer", "message"),
    [
        (OFFERING, [], "", "must be an object"),
        (OFFERING, "x", "", "must be an object"),
        (OFFERING, {"nmae": "x"}, "/nmae", "is not a known field"),
        (OFFERING, {"a/b~c": 1}, "/a~1b~0c", "is not a known field"),
        (OFFERING, {"x" * 65: 1}, "/?", "is not a known field"),
        (OFFERING, {"a\nb": 1}, "/?", "is not a known field"),
        (OFFERING, {"name": 1}, "/name", "must be a string"),
        (OFFERING, {"name": "a\x00"}, "/name", "must not hold the character U+0000"),
        (OFFERING, {"name": "\ud800"}, "/name", "must be Unicode without lone surrogates"),
        (OFFERING, {"slot_minutes": "1"}, "/slot_minutes", "must be an integer"),
        (OFFERING, {"slot_minutes": 1.5}, "/slot_minutes", "must be an integer"),
        (OFFERING, {"slot_minutes": math.inf}, "/slot_minutes", "must be an integer"),
        (OFFERING, {"slot_minutes": 1e10}, "/slot_minutes", "must be between -2147483648 and 2147483647"),
        (OFFERING, {"slot_minutes": False}, "/slot_minutes", "must be an integer"),
        (OFFERING, {"slot_minutes": 2**31}, "/slot_minutes", "must be between -2147483648 and 2147483647"),
        (OFFERING, {"turn_times": {}}, "/turn_times", "must be an array"),
        (OFFERING, {"turn_times": [None]}, "/turn_times/0", "must be an object"),
        (OFFERING, {"turn_times": [{}, {"minutes": []}]}, "/turn_times/1/minutes", "must be an integer"),
        (
            OFFERING,
            {"deposit": {"per_person": {"amount": 2**63}}},
            "/deposit/per_person/amount",
            "must be between -9223372036854775808 and 9223372036854775807",
        ),
        (ENDPOINT, {"event_types": ["a.b", 1]}, "/event_types/1", "must be a string"),
        (ENDPOINT, {"event_types": "a.b"}, "/event_types", "must be an array"),
        (
            venue_pb2.CreateResourceRequest,
            {"kind": "TABLE"},
            "/kind",
            "must be one of: table, person, room, bay",
        ),
        (venue_pb2.CreateResourceRequest, {"kind": 1}, "/kind", "must be one of: table, person, room, bay"),
        (
            venue_pb2.CreateResourceRequest,
            {"kind": "unspecified"},
            "/kind",
            "must be one of: table, person, room, bay",
        ),
        (payment_pb2.ReceiveStripeEventRequest, {"payload": "*"}, "/payload", "must be base64 (RFC 4648 §4)"),
        (payment_pb2.ReceiveStripeEventRequest, {"payload": 1}, "/payload", "must be base64 (RFC 4648 §4)"),
        (
            booking_pb2.DescribeBookingRequest,
            {"issue_manage_token": 1},
            "/issue_manage_token",
            "must be true or false",
        ),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(
    make: type[Message], value: Any, pointer: str, message: str
) -> None:
    assert refusals(make, value) == [Violation(pointer, message)]


def test_a_number_without_a_fraction_is_an_integer_however_it_is_written() -> None:
    message, violations = OFFERING(), list[Violation]()
    reader(message.DESCRIPTOR)(message, documents.load(b'{"slot_minutes": 15.0}'), "", violations)
    assert (message.slot_minutes, violations) == (15, [])


def test_everything_wrong_is_named_at_once() -> None:
    found = refusals(OFFERING, {"name": 1, "slot_minutes": "", "colour": 2})
    assert [each.pointer for each in found] == ["/name", "/slot_minutes", "/colour"]


def test_a_null_leaves_the_field_unset() -> None:
    assert refusals(OFFERING, {"name": None, "deposit": None, "turn_times": None}) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2027-10-31T02:30:00+02:00", "2027-10-31T02:30:00+02:00"),
        ("2027-10-31T02:30:00+01:00", "2027-10-31T02:30:00+01:00"),
        ("2027-10-31t00:30:00z", "2027-10-31T00:30:00+00:00"),
        ("2028-02-29T23:59:59-09:30", "2028-02-29T23:59:59-09:30"),
        ("2027-01-01T00:00:00-00:00", "2027-01-01T00:00:00+00:00"),
        ("2027-01-01T00:00:00.000Z", "2027-01-01T00:00:00+00:00"),
        ("8999-12-31T23:59:59-17:59", "8999-12-31T23:59:59-17:59"),
        ("1971-01-01T00:00:00+17:59", "1971-01-01T00:00:00+17:59"),
    ],
)
def test_an_offset_date_time_keeps_instant_and_offset(text: str, shown: str) -> None:
    message = values_pb2.OffsetDateTime()
    violations: list[Violation] = []
    reader(message.DESCRIPTOR)(message, text, "", violations)
    assert violations == []
    assert writer(message.DESCRIPTOR)(message) == shown


@pytest.mark.parametrize(
    "value",
    [
        "2027-10-31T02:30:00",
        "2027-10-31 02:30:00Z",
        "2027-10-31T02:30Z",
        "2027-10-31",
        "20271031T023000Z",
        "2027-W43-7T02:30:00Z",
        "2027-02-29T00:00:00Z",
        "2027-01-01T24:00:00Z",
        "2027-01-01T00:00:60Z",
        "2027-01-01T00:00:00+24:00",
        "2027-01-01T00:00:00+18:00",
        "2027-01-01T00:00:00.5Z",
        "2027-01-01T00:00:00Z ",
        "٢٠٢٧-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1970-12-31T23:59:59Z",
        "9000-01-01T00:00:00Z",
        "",
        1824942600,
        None,
    ],
)
def test_a_time_that_is_none_is_refused(value: Any) -> None:
    violations: list[Violation] = []
    reader(values_pb2.OffsetDateTime.DESCRIPTOR)(values_pb2.OffsetDateTime(), value, "/start", violations)
    assert [each.pointer for each in violations] == ["/start"]


@pytest.mark.parametrize(
    ("nanos", "decimals"), [(0, ""), (500_000_000, ".500"), (1_000, ".000001"), (1, ".000000001")]
)
def test_a_timestamp_has_as_many_decimals_as_it_needs(nanos: int, decimals: str) -> None:
    message = notification_pb2.Notification()
    message.due_at.seconds, message.due_at.nanos = 1824942600, nanos
    assert writer(message.DESCRIPTOR)(message)["due_at"] == f"2027-10-31T00:30:00{decimals}Z"


def test_a_word_that_only_a_newer_service_knows_is_left_out() -> None:
    booking = booking_pb2.Booking.FromString(
        booking_pb2.Booking(id="bkg_1").SerializeToString() + b"\x20\x63"
    )
    assert booking.status == 99
    assert "status" not in writer(booking.DESCRIPTOR)(booking)


@pytest.mark.parametrize(
    ("name", "texts", "refused"),
    [
        ("party_size", ["2"], False),
        ("party_size", ["-2"], False),
        ("party_size", ["02"], True),
        ("party_size", ["2.0"], True),
        ("party_size", ["1e3"], True),
        ("party_size", [" 2"], True),
        ("party_size", ["٢"], True),
        ("party_size", [""], True),
        ("party_size", ["9" * 30], True),
        ("party_size", ["1", "2"], True),
        ("venue_id", [""], False),
        ("venue_id", ["\x00"], True),
        ("start", ["2027-10-31T02:30:00+02:00"], False),
        ("start", ["2027-10-31T02:30:00 02:00"], True),
        ("guest.name", ["Zoé"], False),
    ],
)
def test_a_parameter_is_read_strictly(name: str, texts: list[str], *, refused: bool) -> None:
    message = booking_pb2.CreateBookingRequest()
    violations: list[Violation] = []
    parameter(message.DESCRIPTOR, name).read(message, texts, violations)
    assert bool(violations) is refused
    if not refused:
        assert message != booking_pb2.CreateBookingRequest() or texts == [""]


def test_a_repeated_parameter_takes_every_value() -> None:
    message = notification_pb2.CreateWebhookEndpointRequest()
    violations: list[Violation] = []
    parameter(message.DESCRIPTOR, "event_types").read(message, ["a.b", "c.d"], violations)
    assert (list(message.event_types), violations) == (["a.b", "c.d"], [])
