"""How an organization looks to guests. Auth owns it and has checked it; booking passes it on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """Name, logo and colours ("#rrggbb")."""

    name: str
    logo_url: str
    background: str
    text: str
    accent: str
