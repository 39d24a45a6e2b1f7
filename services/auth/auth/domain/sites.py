"""An organization in browsers: origins that call for it, its domains, its look. Never does I/O."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from auth.domain.connections import Domain
from servicekit.errors import AppError, Kind, Violation

MOST_ORIGINS = 20
MOST_DOMAINS = 20
LEAST_CONTRAST = 4.5
"""Between texts and what is behind them (WCAG 2.2, success criterion 1.4.3)."""
_PORTS = {"https": 443, "http": 80}
_LOCAL = frozenset({"localhost", "127.0.0.1"})
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HIGHEST_PORT = 65535


class OriginInvalid(AppError):
    """The text is no origin, or one that is not https and not of the machine itself."""

    kind = Kind.UNPROCESSABLE
    reason = "ORIGIN_INVALID"
    detail = "An origin is https://, a host and perhaps a port; http:// is for localhost alone."


class OriginExists(AppError):
    """The organization allows the origin already."""

    kind = Kind.EXISTS
    reason = "ORIGIN_EXISTS"
    detail = "This origin is allowed already."


class TooManyOrigins(AppError):
    """The organization allows as many origins as it may."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_ORIGINS"
    detail = "An organization may allow twenty origins."


class OriginNotFound(AppError):
    """The id is not one of an origin of the organization."""

    kind = Kind.NOT_FOUND
    reason = "ORIGIN_NOT_FOUND"
    detail = "There is no such origin."


class WebDomainExists(AppError):
    """The organization has claimed the domain already."""

    kind = Kind.EXISTS
    reason = "WEB_DOMAIN_EXISTS"
    detail = "This domain is claimed already."


class TooManyWebDomains(AppError):
    """The organization has as many domains as it may."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_WEB_DOMAINS"
    detail = "An organization may have twenty domains."


class WebDomainNotFound(AppError):
    """The id is not one of a domain of the organization."""

    kind = Kind.NOT_FOUND
    reason = "WEB_DOMAIN_NOT_FOUND"
    detail = "There is no such domain."


class ColoursTooAlike(AppError):
    """Somebody could not read a text, or a button, in these colours."""

    kind = Kind.UNPROCESSABLE
    reason = "COLOURS_TOO_ALIKE"
    detail = "Text and accent must stand out from the background by 4.5 to 1 (WCAG 2.2)."


def origin_of(text: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2): lower case, and no port that the scheme has anyway.

    Raises:
        OriginInvalid: it is none, or neither https nor of the machine itself.
    """
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        raise OriginInvalid from None
    host = parts.hostname or ""
    named = f"{host}:{port}" if port is not None else host
    if parts.netloc != named or parts.path or parts.query or parts.fragment or not _is_host(host):
        raise OriginInvalid
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOCAL):
        raise OriginInvalid
    if port is not None and not 0 < port <= _HIGHEST_PORT:
        raise OriginInvalid
    return f"{parts.scheme}://{host}" if port in (None, _PORTS[parts.scheme]) else f"{parts.scheme}://{named}"


def _is_host(host: str) -> bool:
    return bool(host) and all(_LABEL.fullmatch(label) for label in host.split("."))


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin that an organization allows."""

    id: UUID
    origin: str


@dataclass(frozen=True, slots=True)
class WebDomain:
    """A domain that leads to us and shows an organization's venues, once its TXT record was seen."""

    id: UUID
    domain: Domain


@dataclass(frozen=True, slots=True)
class Look:
    """Name, logo and colours. The default is the platform's look."""

    name: str = ""
    logo_url: str = ""
    background: str = "#ffffff"
    text: str = "#1d2433"
    accent: str = "#8c2f39"

    def checked(self) -> "Look":
        """The look, its colours in lower case.

        Raises:
            ColoursTooAlike: text or accent does not stand out from the background.
        """
        colours = {name: getattr(self, name).lower() for name in ("background", "text", "accent")}
        faint = [
            Violation(f"/{name}", "must stand out from the background by 4.5 to 1")
            for name in ("text", "accent")
            if contrast(colours[name], colours["background"]) < LEAST_CONTRAST
        ]
        if faint:
            raise ColoursTooAlike(violations=faint)
        return Look(self.name.strip(), self.logo_url, **colours)


@dataclass(frozen=True, slots=True)
class Theme:
    """What holds for an organization."""

    version: int = 1
    """Rises with every change; 1 while nobody changed anything."""
    look: Look = Look()


@dataclass(frozen=True, slots=True)
class Site:
    """What is in browsers of one organization, all of it."""

    organization_id: UUID
    origins: tuple[str, ...]
    domains: tuple[str, ...]
    """Verified ones."""


def contrast(one: str, other: str) -> float:
    """How much two colours "#rrggbb" differ, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it for sRGB."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    bound = 0.04045
    return float(value / 12.92 if value <= bound else ((value + 0.055) / 1.055) ** 2.4)
