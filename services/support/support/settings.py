"""What the support service reads from its environment (SUPPORT_…). Read once, in __main__."""

from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of support. `peers` must name auth and booking."""

    model_config = SettingsConfigDict(
        env_prefix="SUPPORT_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )
