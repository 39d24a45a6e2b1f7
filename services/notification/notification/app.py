"""What the use cases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from notification.clients.directory import Directory
from notification.clients.partners import Partners
from notification.clients.seal import Seal
from notification.clients.smtp import MailServer
from notification.settings import Settings, WebhookSettings
from servicekit.database import Database
from servicekit.privacy import PrivacyDesk
from servicekit.runtime import Resources


@dataclass(frozen=True, slots=True)
class App:
    """The dependencies of notification."""

    db: Database
    directory: Directory
    mail_server: MailServer
    partners: Partners
    seal: Seal
    mail_from: str
    public_url: str
    webhooks: WebhookSettings
    payment_request_delay: timedelta
    privacy: PrivacyDesk


@asynccontextmanager
async def open_app(resources: Resources[Settings]) -> AsyncIterator[App]:
    """Opens the clients; closes them afterwards."""
    settings = resources.settings
    directory = Directory(
        auth=resources.peer("auth"), booking=resources.peer("booking"), support=resources.peer("support")
    )
    partners = Partners(settings.webhooks)
    try:
        yield App(
            db=resources.db,
            directory=directory,
            mail_server=MailServer(settings.smtp),
            partners=partners,
            seal=Seal(settings.encryption_key()),
            mail_from=settings.mail_from,
            public_url=settings.public_url,
            webhooks=settings.webhooks,
            payment_request_delay=timedelta(seconds=settings.payment_request_delay_seconds),
            privacy=PrivacyDesk(resources.peer("auth")),
        )
    finally:
        await partners.close()
