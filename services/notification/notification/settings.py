"""What the notification service reads from its environment (NOTIFICATION_…). Read once, in __main__."""

import base64
import binascii
from datetime import timedelta
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.settings import Environment, Part, ServiceSettings

_KEY_BYTES = 32
_LONGEST_TRY = 40


class SmtpSettings(Part):
    """The mail server that takes our mails."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    starttls: bool | None = None
    """True: only encrypted. False: never. Absent: when the server offers it."""
    timeout_seconds: PositiveFloat = Field(default=10, le=_LONGEST_TRY / 2)
    """For each step of the conversation; a mail as a whole gets twice as long."""


class WebhookSettings(Part):
    """How events reach partners."""

    allow_http: bool = False
    """Development only: post to http:// URLs too."""
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Private networks whose hosts may be endpoints; none by default."""
    retry_seconds: tuple[PositiveFloat, ...] = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    """The waits between tries, as in the example schedule of Standard Webhooks."""
    timeout_seconds: PositiveFloat = Field(default=15, le=_LONGEST_TRY)
    """For a whole try, from the look-up of the name to the end of the answer."""

    @property
    def schedule(self) -> tuple[timedelta, ...]:
        """The waits between tries."""
        return tuple(timedelta(seconds=seconds) for seconds in self.retry_seconds)


class Settings(ServiceSettings):
    """Settings of notification."""

    model_config = SettingsConfigDict(
        env_prefix="NOTIFICATION_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    smtp: SmtpSettings
    mail_from: str = "Comptoir <bookings@comptoir.localhost>"
    """Who mails come from. Its domain is also that of the Message-IDs."""
    public_url: str
    """Where guests and owners reach the platform; links in mails begin with it."""
    encryption_key_file: Path
    """32 random bytes in base64: seals the signing secrets of webhooks."""
    webhooks: WebhookSettings = WebhookSettings()
    payment_request_delay_seconds: float = Field(default=120, ge=0, le=3600)
    """How long a hold waits for its guest, who as a rule pays at once on the page, before a mail asks for the
    deposit. Shorter than booking's holds: a hold that is over asks for nothing."""

    def encryption_key(self) -> bytes:
        """The key in `encryption_key_file`.

        Raises:
            ValueError: the file cannot be read or does not hold 32 bytes in base64.
        """
        try:
            key = base64.b64decode(self.encryption_key_file.read_bytes().strip(), validate=True)
        except (OSError, binascii.Error) as error:
            raise ValueError("encryption_key_file: cannot be read, or is not base64") from error
        if len(key) != _KEY_BYTES:
            raise ValueError(f"encryption_key_file: must hold {_KEY_BYTES} bytes in base64")
        return key

    @model_validator(mode="after")
    def _refuse_broken(self) -> Self:
        self.encryption_key()
        if "@" not in parseaddr(self.mail_from)[1]:
            raise ValueError("mail_from: needs an address")
        if not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url: must be an http or https URL")
        return self

    @model_validator(mode="after")
    def _refuse_development_in_production(self) -> Self:
        if self.environment is not Environment.PRODUCTION:
            return self
        if not self.public_url.startswith("https://"):
            raise ValueError("public_url: production needs https")
        if self.webhooks.allow_http:
            raise ValueError("webhooks.allow_http: not in production")
        if parseaddr(self.mail_from)[1].endswith("localhost"):
            raise ValueError("mail_from: production needs a real domain")
        if self.smtp.username and self.smtp.starttls is not True:
            raise ValueError("smtp.starttls: must be true where a password is sent")
        return self
