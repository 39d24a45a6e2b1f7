"""Looks through everything that the platform leaves behind, for what must not be there."""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import httpx

from devstack.demo.api import Sink
from devstack.platform import Platform
from devstack.sink.mails import MailBox
from devstack.topology import SERVICES
from servicekit import broker, topics
from servicekit.settings import KafkaSettings

PERSON, SECRET = "person", "secret"
KINDS = ("logs", "logs of engines", "tables", "events", "metrics", "spans")
_STAND_INS = {"sink", "stripe"}
"""They play what is outside: the mail server and Stripe know addresses and secrets by right."""
_LINK = re.compile(r"(?:/manage/|token=)([\w-]{20,})")
_FULL_NAME = re.compile(r"[^\W\d_]{4,} [^\W\d_]{4,}")
_PEOPLE = {
    "booking": "SELECT name, email, phone FROM guests",
    "auth": "SELECT display_name, email, '' FROM users"
    " UNION SELECT display_name, email, '' FROM registrations",
}
HOLDERS = {
    "booking.guests",
    "auth.users",
    "auth.registrations",
    "auth.account_mails",
    "auth.invitations",
    "auth.sso_arrivals",
    "support.tickets",
    "support.ticket_messages",
}
"""The tables that persons live in. No table at all holds a secret in the clear."""
FORMS = {
    "an e-mail address": re.compile(rb"[\w.+-]+@[\w-]+\.[a-z]{2,}"),
    "a JWT": re.compile(rb"\beyJ[\w-]{8,}\.[\w-]+"),
    "an API key": re.compile(rb"\bcpt_(?:live|test)_\w+"),
    "a secret of webhooks": re.compile(rb"\bwhsec_\w+"),
    "a key or client secret of Stripe": re.compile(rb"\b[sr]k_(?:test|live)_\w+|\bpi_\w+_secret_\w+"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Something left behind: `logs/payment.log`, `booking.outbox`, `kafka comptoir.booking.v1`."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Planted:
    """Something that must not be found, and what it is."""

    kind: str
    what: str
    text: str


def find(planted: Iterable[Planted], places: Iterable[Place]) -> set[str]:
    """`what in place`, for whatever is where it must not be. Persons may be in the tables they live in."""
    needles = [(each, each.text.encode()) for each in planted]
    return {
        f"{each.what} in {place.name}"
        for place in places
        for each, needle in needles
        if needle in place.content and not (each.kind == PERSON and place.name in HOLDERS)
    }


def find_forms(places: Iterable[Place]) -> set[str]:
    """The same for what nobody planted, but that has the form of an address or a secret."""
    return {
        f"{what} in {place.name}"
        for place in places
        for what, form in FORMS.items()
        if form.search(place.content)
    }


async def places(platform: Platform, sink: Sink) -> dict[str, list[Place]]:
    """All that a platform leaves behind, by KINDS."""
    engines = {engine.name for engine in platform.engines.embedded} - _STAND_INS
    written = {path.name.partition(".")[0] for path in (platform.state_dir / "logs").iterdir()}
    return {
        "logs": list(logs(platform, sorted(written - _STAND_INS - engines))),
        "logs of engines": list(logs(platform, sorted(engines))),
        "tables": await tables(platform),
        "events": [record async for record in records(platform)],
        "metrics": list(metrics(platform)),
        "spans": list(spans(sink)),
    }


def logs(platform: Platform, names: Iterable[str]) -> Iterator[Place]:
    """What the processes wrote since the platform was made, over all restarts."""
    for name in names:
        for file in sorted((platform.state_dir / "logs").glob(f"{name}.log*")):
            yield Place(f"logs/{file.name}", file.read_bytes())


async def tables(platform: Platform) -> list[Place]:
    """Every row of every service, as text; bytes as they are."""
    server = urlsplit(platform.engines.postgres_url)
    found = []
    for service in SERVICES:
        connection = await asyncpg.connect(server._replace(path=f"/{service}").geturl())
        try:
            names = await connection.fetch(
                "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'"
            )
            for name in (row["name"] for row in names):
                rows = await connection.fetch(f"SELECT * FROM {name}")  # noqa: S608  # quoted by the server
                found.append(Place(f"{service}.{name}", b"\n".join(map(_bytes, rows))))
        finally:
            await connection.close()
    return found


def _bytes(row: Mapping[str, object]) -> bytes:
    return b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())


async def records(platform: Platform) -> AsyncIterator[Place]:
    """Every record of every topic, dead letters too: key, headers and value."""
    kafka = KafkaSettings(bootstrap_servers=platform.engines.kafka_bootstrap, idempotent_producer=False)
    names = [*topics.SUBSCRIBERS, *(f"{topic}{topics.DEAD_LETTERS}" for topic in topics.SUBSCRIBERS)]
    async for record in broker.everything(kafka, names):
        headers = b" ".join(name.encode() + b"=" + value for name, value in record.headers)
        content = b" ".join([record.key or b"", headers, record.value or b""])
        yield Place(f"kafka {record.topic}", content)


def metrics(platform: Platform) -> Iterator[Place]:
    """What Prometheus would read of every process."""
    for process in platform.programs:
        text = httpx.get(f"{process.admin_url}/metrics").raise_for_status().content
        yield Place(f"metrics of {process.name}", text)


def spans(sink: Sink) -> Iterator[Place]:
    """The latest traces with all attributes."""
    for trace in sink.http.get("/traces").raise_for_status().json():
        yield Place("spans", json.dumps(sink.spans(trace["trace_id"]), ensure_ascii=False).encode())


async def people(platform: Platform) -> set[Planted]:
    """Everybody whom a test has made up, by an address that ends in .example; names that are two long words.

    Not the names of whoever has several: schemathesis takes an address that it was shown for new guests, and
    calls them what it also calls venues and tables.
    """
    server = urlsplit(platform.engines.postgres_url)
    found, called = set(), defaultdict[str, set[str]](set)
    for service, query in _PEOPLE.items():
        connection = await asyncpg.connect(server._replace(path=f"/{service}").geturl())
        try:
            for name, email, phone in await connection.fetch(query):
                if not email.endswith(".example"):
                    continue
                called[email].add(name)
                found.add(Planted(PERSON, "an address", email))
                if phone:
                    found.add(Planted(PERSON, "a telephone number", phone))
        finally:
            await connection.close()
    names = {name for names in called.values() if len(names) == 1 for name in names}
    return found | {Planted(PERSON, "a name", name) for name in names if _FULL_NAME.fullmatch(name)}


def secrets(platform: Platform) -> set[Planted]:
    """Passwords and keys of the platform, the tokens of links in mails, and what Stripe gave for cards."""
    found = set()
    for file in platform.secrets.directory.glob("[!.]*"):
        text = file.read_text().strip()
        if file.suffix == ".json":
            text = json.loads(text).get("d", "")
        if text:
            found.add(Planted(SECRET, file.name, text))
    mails = MailBox(platform.engines.sink.data_dir / "mails")
    for mail in mails.list_mails():
        whole = mails.get_mail(mail.id) or {}
        found.update(Planted(SECRET, "a link's token", token) for token in _LINK.findall(whole["text"] or ""))
    with httpx.Client(base_url=platform.engines.stripe.url, auth=("sk_test_reader", "")) as stripe:
        intents = stripe.get("/v1/payment_intents", params={"limit": 100}).raise_for_status().json()["data"]
    return found | {Planted(SECRET, "a client secret", each["client_secret"]) for each in intents}
