"""What the payment service reads from its environment (PAYMENT_…). Read once, in __main__."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.settings import Environment, Part, ServiceSettings

_SHORTEST_SECRET = 24
LIVE_KEYS = ("sk_live_", "rk_live_")


class StripeSettings(Part):
    """The account at Stripe."""

    api_key: SecretStr
    """A secret key, or a restricted one that may write and read PaymentIntents and refunds."""
    api_base: str | None = None
    """Where the API is; absent means Stripe itself."""
    webhook_secret: SecretStr
    """The signing secret of the webhook endpoint (whsec_…)."""
    timeout_seconds: float = Field(default=4.0, gt=0, le=30)
    """For connecting, and for each further step of one HTTP exchange."""
    network_retries: int = Field(default=2, ge=0, le=5)
    """Of one call, under one idempotency key."""


class Settings(ServiceSettings):
    """Settings of payment."""

    model_config = SettingsConfigDict(
        env_prefix="PAYMENT_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    stripe: StripeSettings

    @model_validator(mode="after")
    def _refuse_test_keys(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            refuse_unfit(self.stripe)
        return self


def refuse_unfit(stripe: StripeSettings) -> None:
    """Raises ValueError unless the account is fit for production: live key, long secrets, https."""
    key = stripe.api_key.get_secret_value()
    if not key.startswith(LIVE_KEYS) or len(key) < _SHORTEST_SECRET:
        message = "stripe.api_key: production needs a live key (sk_live_… or rk_live_…)"
        raise ValueError(message)
    if len(stripe.webhook_secret.get_secret_value()) < _SHORTEST_SECRET:
        message = f"stripe.webhook_secret: production needs at least {_SHORTEST_SECRET} characters"
        raise ValueError(message)
    if stripe.api_base is not None and not stripe.api_base.startswith("https://"):
        message = "stripe.api_base: production needs https"
        raise ValueError(message)
