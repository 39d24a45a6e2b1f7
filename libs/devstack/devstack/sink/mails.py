"""The mails received, one .eml file each: as they came, with the envelope as headers in front."""

import base64
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

_ENVELOPE_TO, _ENVELOPE_FROM = "Delivered-To", "Return-Path"
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Mail:
    """What lists show. `id` sorts by time of arrival."""

    id: str
    sender: str
    to: tuple[str, ...]
    subject: str

    @property
    def date(self) -> datetime:
        """When it arrived."""
        return datetime.fromtimestamp(int(self.id, 16) / 1e9, tz=UTC)

    def summary(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "from": self.sender,
            "to": list(self.to),
            "subject": self.subject,
            "date": self.date.isoformat(),
        }


class MailBox:
    """All mails below a directory, newest first. Survives restarts."""

    def __init__(self, directory: Path) -> None:
        """Reads the headers of the mails already there."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._mails = {path.stem: _read_summary(path) for path in sorted(directory.glob("*.eml"))}

    def add(self, raw: bytes, *, sender: str, recipients: Sequence[str]) -> Mail:
        """Keeps the mail; when this returns, it is in its file."""
        stamp = max(time.time_ns(), int(next(reversed(self._mails), "0"), 16) + 1)
        path = self._path(f"{stamp:016x}")
        envelope = [
            f"{_ENVELOPE_FROM}: <{sender}>",
            *(f"{_ENVELOPE_TO}: {address}" for address in recipients),
        ]
        draft = path.with_suffix(".part")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write("".join(f"{line}\r\n" for line in envelope).encode() + raw)
        draft.replace(path)
        mail = _read_summary(path)
        self._mails[mail.id] = mail
        return mail

    def list_mails(self, *, to: str | None = None) -> list[Mail]:
        """Newest first; `to` compares envelope recipients without regard to case."""
        wanted = to.lower() if to else None
        return [
            mail
            for mail in reversed(self._mails.values())
            if wanted is None or wanted in (address.lower() for address in mail.to)
        ]

    def get_mail(self, mail_id: str) -> dict[str, Any] | None:
        """Everything as JSON: headers, text, html, attachments with base64 `content`."""
        message = self._message(mail_id)
        if message is None:
            return None
        text, html, attachments = _split(message)
        headers: dict[str, str] = {}
        for name, value in message.items():
            headers[name] = f"{headers[name]}\n{value}" if name in headers else str(value)
        summary = self._mails[mail_id].summary()
        return {**summary, "headers": headers, "text": text, "html": html, "attachments": attachments}

    def get_raw(self, mail_id: str) -> bytes | None:
        """The file as received."""
        return self._path(mail_id).read_bytes() if mail_id in self._mails else None

    def clear(self) -> int:
        """Deletes all mails and says how many there were."""
        count = len(self._mails)
        for mail_id in self._mails:
            self._path(mail_id).unlink(missing_ok=True)
        self._mails.clear()
        return count

    def _path(self, mail_id: str) -> Path:
        if not _ID.fullmatch(mail_id):
            raise ValueError("not a mail id")
        return self._directory / f"{mail_id}.eml"

    def _message(self, mail_id: str) -> EmailMessage | None:
        raw = self.get_raw(mail_id)
        return None if raw is None else message_from_bytes(raw, policy=policy.default)


def _read_summary(path: Path) -> Mail:
    with path.open("rb") as file:
        headers = BytesHeaderParser(policy=policy.default).parse(file)
    return Mail(
        id=path.stem,
        sender=str(headers.get("From", headers.get(_ENVELOPE_FROM, ""))),
        to=tuple(str(address).strip() for address in headers.get_all(_ENVELOPE_TO, [])),
        subject=str(headers.get("Subject", "(no subject)")),
    )


def _split(message: EmailMessage) -> tuple[str | None, str | None, list[dict[str, Any]]]:
    text: str | None = None
    html: str | None = None
    attachments: list[dict[str, Any]] = []
    for part in _leaves(message):
        attached = part.get_content_disposition() == "attachment"
        match part.get_content_type():
            case "text/plain" if text is None and not attached:
                text = _decode(part)
            case "text/html" if html is None and not attached:
                html = _decode(part)
            case content_type:
                attachments.append(_describe(part, content_type, number=len(attachments) + 1))
    return text, html, attachments


def _leaves(message: EmailMessage) -> Iterator[EmailMessage]:
    return (part for part in message.walk() if not part.is_multipart())


def _describe(part: EmailMessage, content_type: str, *, number: int) -> dict[str, Any]:
    content = _payload(part)
    return {
        "filename": part.get_filename() or f"part-{number}",
        "content_type": content_type,
        "disposition": part.get_content_disposition(),
        "size": len(content),
        "content": base64.b64encode(content).decode(),
    }


def _decode(part: EmailMessage) -> str:
    charset = part.get_content_charset("utf-8")
    try:
        return _payload(part).decode(charset, errors="replace")
    except LookupError:  # a charset nobody knows
        return _payload(part).decode("latin-1")


def _payload(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
