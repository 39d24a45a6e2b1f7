"""What the analytics service reads from its environment (ANALYTICS_…). Read once, in __main__."""

from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of analytics. It has no peers: facts are all it knows."""

    model_config = SettingsConfigDict(
        env_prefix="ANALYTICS_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )
