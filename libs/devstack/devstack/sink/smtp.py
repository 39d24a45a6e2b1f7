"""The SMTP side: takes every mail for every address, or refuses all when told to. It relays nothing."""

from enum import StrEnum

from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack.sink.mails import MailBox

_MAX_BYTES = 40_000_000


class SmtpFault(StrEnum):
    """How mails are refused: for now, for ever, or not at all."""

    TEMPORARY = "451"
    PERMANENT = "550"
    OFF = "off"


_ANSWERS = {
    SmtpFault.TEMPORARY: "451 4.3.2 Refused for now, as the test asked",
    SmtpFault.PERMANENT: "550 5.1.1 Refused, as the test asked",
}


class Postmaster:
    """aiosmtpd's handler: one call per mail."""

    def __init__(self, mails: MailBox) -> None:
        self._mails = mails
        self.fault = SmtpFault.OFF
        self.refused = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keeps the mail before it answers 250."""
        del server, session
        if self.fault is not SmtpFault.OFF:
            self.refused += 1
            return _ANSWERS[self.fault]
        content = envelope.original_content or b""
        mail = self._mails.add(content, sender=envelope.mail_from or "", recipients=envelope.rcpt_tos)
        return f"250 2.0.0 Kept as {mail.id}"

    def protocol(self) -> SMTP:
        """One connection's protocol."""
        return SMTP(self, hostname="sink.localhost", data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True)
