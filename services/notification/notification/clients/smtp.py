"""Hands a mail to the mail server and says what became of it, as far as that can be known."""

import asyncio
import contextlib
from enum import Enum

import aiosmtplib

from notification.settings import SmtpSettings

_PERMANENT = 500


class Posted(Enum):
    """What became of a mail."""

    ACCEPTED = "accepted"
    PUT_OFF = "put_off"
    """The server does not have it; trying again is safe."""
    REFUSED = "refused"
    """The server will never take it."""
    UNCLEAR = "unclear"
    """The connection broke after the content had begun to flow: the server may or may not have it."""


class MailServer:
    """The mail server of the settings. A connection a mail: nothing to go stale between two mails."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def post(self, content: bytes, *, sender: str, recipient: str) -> Posted:
        """Sends one mail to one address. Never raises for what the server or the network does."""
        settings = self._settings
        flowing = False
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=settings.timeout_seconds,
            start_tls=settings.starttls,
            local_hostname=sender.rpartition("@")[2],
        )
        try:
            async with asyncio.timeout(settings.timeout_seconds * 2):
                await client.connect()
                if settings.username is not None and settings.password is not None:
                    await client.login(settings.username, settings.password.get_secret_value())
                await client.mail(sender)
                await client.rcpt(recipient)
                flowing = True
                await client.data(content)
        except (
            aiosmtplib.SMTPSenderRefused,
            aiosmtplib.SMTPRecipientRefused,
            aiosmtplib.SMTPDataError,
        ) as error:
            return Posted.REFUSED if error.code >= _PERMANENT else Posted.PUT_OFF
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return Posted.UNCLEAR if flowing else Posted.PUT_OFF
        else:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit()
            return Posted.ACCEPTED
        finally:
            client.close()
