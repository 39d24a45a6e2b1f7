"""What the booking service reads from its environment (BOOKING_…). Read once, in __main__."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.settings import Environment, ServiceSettings


class Settings(ServiceSettings):
    """Settings of booking."""

    model_config = SettingsConfigDict(
        env_prefix="BOOKING_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    hold_ttl_seconds: int = Field(default=900, ge=1, le=86_400)
    """How long room is kept for a guest who has to pay a deposit."""
    offer_ttl_seconds: int = Field(default=900, ge=1, le=86_400)
    """How long room is kept for a guest of the waitlist who is offered it."""
    unsafe_no_lock: bool = False
    """Negative control of the torture test: commits plans without looking whether the day has changed, so
    that only the database's constraint stands between two guests and one table. Development only."""

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        if self.unsafe_no_lock and self.environment is not Environment.DEVELOPMENT:
            message = "unsafe_no_lock is a negative control for tests, and refused outside development"
            raise ValueError(message)
        return self
