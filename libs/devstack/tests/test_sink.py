"""The sink: mails in, page and JSON out, faults on demand, spans by trace."""

import base64
import gzip
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from devstack.engines import SinkEngine
from devstack.sink.mails import MailBox
from devstack.sink.traces import TraceStore

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkEngine]:
    engine = SinkEngine(tmp_path_factory.mktemp("sink"))
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(autouse=True)
def clean(sink: SinkEngine) -> None:
    ask(sink, "DELETE", "/mails")
    ask(sink, "POST", "/faults", json={"smtp": "off"})


def ask(sink: SinkEngine, method: str, path: str, **options: Any) -> httpx.Response:
    return httpx.request(method, f"{sink.url}{path}", trust_env=False, **options)


def a_mail(*, subject: str = "Réservation confirmée", to: str = "guest@chez.example") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "Chez Paulette <noreply@chez.example>", to
    mail["List-Unsubscribe"] = "<https://chez.example/u>"
    mail.set_content("À bientôt")
    mail.add_alternative("<p>À bientôt</p><script>alert(1)</script>", subtype="html")
    mail.add_attachment(b"BEGIN:VCALENDAR", maintype="text", subtype="calendar", filename="booking.ics")
    return mail


def send(sink: SinkEngine, mail: EmailMessage, *, to: list[str] | None = None) -> None:
    with smtplib.SMTP(sink.smtp_host, sink.smtp_port) as client:
        client.send_message(mail, to_addrs=to)


def an_export(trace: bytes, *names: str, service: str = "booking") -> ExportTraceServiceRequest:
    export = ExportTraceServiceRequest()
    spans = export.resource_spans.add()
    spans.resource.attributes.add(key="service.name").value.string_value = service
    scope = spans.scope_spans.add()
    for number, name in enumerate(names, start=1):
        span = scope.spans.add(trace_id=trace, span_id=bytes([number] * 8), name=name)
        span.kind = Span.SPAN_KIND_SERVER
        span.start_time_unix_nano, span.end_time_unix_nano = number * 10**9, number * 10**9 + 5 * 10**8
        span.attributes.add(key="rpc.method").value.string_value = name
        if number > 1:
            span.parent_span_id = bytes([1] * 8)
    return export


def test_a_mail_is_read_back_with_all_its_parts(sink: SinkEngine) -> None:
    send(sink, a_mail())
    listed = ask(sink, "GET", "/mails").json()
    assert [(mail["to"], mail["subject"]) for mail in listed] == [
        (["guest@chez.example"], "Réservation confirmée")
    ]
    mail = ask(sink, "GET", f"/mails/{listed[0]['id']}").json()
    assert mail["headers"]["List-Unsubscribe"] == "<https://chez.example/u>"
    assert mail["text"].strip() == "À bientôt"
    assert mail["html"].startswith("<p>À bientôt</p>")
    (attachment,) = mail["attachments"]
    assert (attachment["filename"], attachment["content_type"]) == ("booking.ics", "text/calendar")
    assert base64.b64decode(attachment["content"]) == b"BEGIN:VCALENDAR"


def test_lists_are_newest_first_and_filtered_by_the_envelope(sink: SinkEngine) -> None:
    send(sink, a_mail(subject="one"))
    send(sink, a_mail(subject="two"), to=["Blind@chez.example"])
    send(sink, a_mail(subject="three"))
    assert [mail["subject"] for mail in ask(sink, "GET", "/mails").json()] == ["three", "two", "one"]
    found = ask(sink, "GET", "/mails", params={"to": "blind@CHEZ.example"}).json()
    assert [mail["subject"] for mail in found] == ["two"]


def test_mails_survive_a_restart_until_they_are_deleted(sink: SinkEngine) -> None:
    send(sink, a_mail())
    before = ask(sink, "GET", "/mails").json()
    sink.kill()
    sink.start()
    assert ask(sink, "GET", "/mails").json() == before
    assert ask(sink, "DELETE", "/mails").json() == {"deleted": 1}
    assert ask(sink, "GET", "/mails").json() == []


@pytest.mark.parametrize("code", [451, 550])
def test_mails_are_refused_as_told_and_then_taken_again(sink: SinkEngine, code: int) -> None:
    ask(sink, "POST", "/faults", json={"smtp": str(code)})
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(sink, a_mail())
    assert refused.value.smtp_code == code
    ask(sink, "POST", "/faults", json={"smtp": "off"})
    send(sink, a_mail())
    assert len(ask(sink, "GET", "/mails").json()) == 1


@pytest.mark.parametrize("body", ["{", "[]", '{"smtp": "999"}', "{}"])
def test_an_unknown_fault_is_refused(sink: SinkEngine, body: str) -> None:
    assert ask(sink, "POST", "/faults", content=body).status_code == 422


def test_the_page_shows_mails_and_locks_their_html_up(sink: SinkEngine) -> None:
    send(sink, a_mail(subject="<script>bad()</script>"))
    mail_id = ask(sink, "GET", "/mails").json()[0]["id"]
    page = ask(sink, "GET", "/").text
    assert "guest@chez.example" in page
    assert "<script>" not in page
    assert "<script>" not in ask(sink, "GET", f"/mails/{mail_id}/page").text
    html = ask(sink, "GET", f"/mails/{mail_id}/html")
    assert "default-src 'none'" in html.headers["Content-Security-Policy"]
    assert b"Delivered-To: guest@chez.example" in ask(sink, "GET", f"/mails/{mail_id}/raw").content
    assert ask(sink, "GET", f"/mails/{mail_id}/attachments/0").content == b"BEGIN:VCALENDAR"


@pytest.mark.parametrize(
    "path", ["/mails/none", "/mails/none/page", "/mails/none/html", "/mails/none/raw", "/traces/none"]
)
def test_what_is_not_there_is_404(sink: SinkEngine, path: str) -> None:
    assert ask(sink, "GET", path).status_code == 404


def test_other_host_names_are_refused(sink: SinkEngine) -> None:
    assert ask(sink, "GET", "/mails", headers={"Host": "rebound.example"}).status_code == 400


@pytest.mark.parametrize("packed", [False, True])
def test_spans_are_read_back_by_trace(sink: SinkEngine, packed: bool) -> None:  # noqa: FBT001
    trace = bytes([7 + packed] * 16)
    body = an_export(trace, "CreateBooking", "insert").SerializeToString()
    headers = {**PROTOBUF, **({"Content-Encoding": "gzip"} if packed else {})}
    content = gzip.compress(body) if packed else body
    for _ in range(2):  # an exporter may send twice
        assert ask(sink, "POST", "/v1/traces", content=content, headers=headers).status_code == 200
    spans = ask(sink, "GET", f"/traces/{trace.hex()}").json()
    assert [(span["name"], span["service"], span["parent"]) for span in spans] == [
        ("CreateBooking", "booking", ""),
        ("insert", "booking", "01" * 8),
    ]
    assert (spans[0]["kind"], spans[0]["start"], spans[0]["duration"]) == ("server", 1.0, 0.5)
    assert spans[0]["attributes"] == {"rpc.method": "CreateBooking"}
    newest = ask(sink, "GET", "/traces").json()[0]
    assert (newest["trace_id"], newest["name"], newest["spans"]) == (trace.hex(), "CreateBooking", 2)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"\xff\xff", PROTOBUF, 400),
        (b"not gzip", {**PROTOBUF, "Content-Encoding": "gzip"}, 400),
        (b"{}", {"Content-Type": "application/json"}, 415),
        (gzip.compress(bytes(33_000_000)), {**PROTOBUF, "Content-Encoding": "gzip"}, 413),
    ],
)
def test_a_bad_export_is_refused(
    sink: SinkEngine, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert ask(sink, "POST", "/v1/traces", content=content, headers=headers).status_code == status


def test_old_traces_give_way_to_new_ones() -> None:
    store = TraceStore(max_spans=4)
    for number in range(1, 5):
        store.add(an_export(bytes([number] * 16), "outer", "inner"))
    assert [trace["trace_id"][:2] for trace in store.list_traces()] == ["04", "03"]


def test_a_broken_mail_is_kept_and_shown(tmp_path: Path) -> None:
    mails = MailBox(tmp_path)
    raw = b"Content-Type: text/plain; charset=never-heard-of\r\nSubject: =?x?y?\r\n\r\n\xff\xfe"
    kept = mails.add(raw, sender="", recipients=["guest@chez.example"])
    found = mails.get_mail(kept.id)
    assert found is not None
    assert found["text"] == "ÿþ"
    with pytest.raises(ValueError, match="not a mail id"):
        MailBox(tmp_path / "other")._path("../kept")
